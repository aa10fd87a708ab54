"""The description of the ConnectX-7 ports, typed: where each of them is on the wire, and how large packets are."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from sparkfleet.forms import Described, matching

Port = Annotated[
    str, matching(re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}"), 'a network interface such as "enp1s0f0np0"')
]


def _interface_address(value: str) -> str:
    """An address and the length of its network's prefix, which must not be left out."""
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        value = ""
    if "/" not in value:
        message = 'expected an address with its prefix such as "192.168.100.11/24"'
        raise ValueError(message)
    return value


InterfaceAddress = Annotated[str, AfterValidator(_interface_address)]
Ports = dict[Port, InterfaceAddress]


class ConnectX(Described):
    """The pair of ConnectX-7 cages, on hosts with the role connectx; the addresses stand with each host."""

    mtu: int = Field(default=9000, ge=1280, le=9216, description="bytes; the same on every port of the fleet")
