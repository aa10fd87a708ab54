"""A raw description → what uses the account and could not: hosts without a certificate, a port that is taken.

A part of `cross_checks`: works on unchecked data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLES_PORT = 9812
"""On loopback, where a monitor's samples are signed on their way to AMP."""


def session_faults(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Every such host, and ports that are taken.

    An authority of the owner's own enrols hosts without us, and who names another AWS profile needs no certificate.
    """
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
    taken = [name for name in ("exporter", "label", "authority") if _map(raw.get(name)).get("port") == SAMPLES_PORT]
    return [f"{name}.port: {SAMPLES_PORT} is where samples for AMP are signed" for name in taken if amp] + [
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
