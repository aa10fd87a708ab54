"""A raw description → what is wrong between the authority and the hosts that ask it, each fault with the path to mend.

A part of `cross_checks`: works on unchecked data.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping


def authority_faults(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Every such fault, in no order."""
    described = raw.get("authority")
    wanted: Mapping[str, Any] = described if isinstance(described, dict) else {}
    runs, asks = (_with(hosts, role) for role in (Role.AUTHORITY, Role.IDENTITY))
    faults = []
    if wanted.get("url") and not wanted.get("sha256"):
        faults.append("authority.sha256: missing; what url names is unpacked by its digest")
    stolen = wanted.get("stolen")
    if isinstance(stolen, list) and wanted.get("generation", 1) in stolen:
        faults.append("authority.stolen: names the generation in force; raise authority.generation, too")
    if len(runs) > 1:
        faults.append(f"hosts: one host has the role authority, found {', '.join(runs)}")
    cloud = _section(raw, "cloud")
    if runs and cloud.get("provider") == "aws" and _section(cloud, "aws").get("trust_bundle"):
        said = f"names another authority than the fleet's own, which {runs[0]} runs; write null, or take that role away"
        faults.append(f"cloud.aws.trust_bundle: {said}")
    if asks and not runs:
        faults.append(f"hosts: no host has the role authority, which {', '.join(asks)} would ask (role identity)")
    faults += [
        f"hosts.{name}.addresses: the role identity needs an IP address, which the authority's firewall lets in"
        for name in asks
        if runs and name not in runs and not any(map(_is_address, _list(hosts[name], "addresses")))
    ]
    ports = {section: _section(raw, section).get("port") for section in ("exporter", "label")}
    taken = [f"{section}.port" for section, port in ports.items() if port and port == wanted.get("port")]
    return [*faults, *(f"authority.port: {wanted['port']} is also {other}" for other in taken)]


def _with(hosts: Mapping[str, Any], role: Role) -> list[str]:
    return [name for name, host in hosts.items() if role in _list(host, "roles")]


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _list(host: Any, key: str) -> list[str]:
    value = host.get(key) if isinstance(host, dict) else None
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
