"""A raw description → the hosts that use the account and would have no certificate, each with the path to mend.

A part of `cross_checks`: works on unchecked data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping


def session_faults(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Every such host; an authority of the owner's own enrols without us, and another AWS profile needs none."""
    cloud, roles = _map(raw.get("cloud")), {name: _roles(host) for name, host in hosts.items()}
    ours = any(Role.AUTHORITY in held for held in roles.values()) and not _map(cloud.get("aws")).get("trust_bundle")
    if cloud.get("provider") != "aws" or not ours:
        return []
    amp = _map(_map(raw.get("monitoring")).get("amp"))
    uses = {
        Role.DATASETS: not _map(raw.get("datasets")).get("aws_profile"),
        Role.LABEL: not _map(_map(raw.get("label")).get("models")).get("aws_profile"),
        Role.MONITOR: bool(amp) and not amp.get("profile"),
    }
    return [
        f"hosts.{name}.roles: {role} needs identity beside it, whose certificate opens the account"
        for name, held in roles.items()
        for role, used in uses.items()
        if used and role in held and Role.IDENTITY not in held
    ]


def _roles(host: Any) -> list[Any]:
    found = _map(host).get("roles")
    return found if isinstance(found, list) else []


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
