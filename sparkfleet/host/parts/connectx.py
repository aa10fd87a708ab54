"""Fleet, host → what the role connectx wants beside its templates: netplan, and the program that puts it to use."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from sparkfleet.host.parts import Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

SCRIPT = "sparkfleet/host/connectx_script.py"


def connectx(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001  (every role has the same signature)
    """Netplan, which DGX OS has, and a program that judges our file of it and touches no other interface."""
    return Parts(packages=("netplan.io", "python3-yaml"), raw={"/usr/local/lib/sparkfleet/connectx.py": SCRIPT})


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks of the host are told: its ports, and who answers in the network of each."""
    ports = fleet.hosts[name].connectx
    return {"mtu": fleet.connectx.mtu, "ports": ports, "peers": {port: _peers(fleet, name, port) for port in ports}}


def _peers(fleet: Fleet, name: str, port: str) -> list[str]:
    network = ipaddress.ip_interface(fleet.hosts[name].connectx[port]).network
    others = (host.connectx.values() for other, host in fleet.hosts.items() if other != name)
    addresses = [ipaddress.ip_interface(text) for values in others for text in values]
    return [str(one.ip) for one in addresses if one.network == network]
