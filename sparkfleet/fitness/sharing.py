"""The description of hosts that share the label loop's work, typed: which, over which link, and what it may take."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from sparkfleet.forms import Described, HostName, SecretReference

PORTS = 30  # from `port` on: as many as workloads/label/spreading/machine.py gives names to


def _ip(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        message = "expected an IPv4 address"
        raise ValueError(message) from None


LinkAddress = Annotated[str, AfterValidator(_ip)]


class Sharing(Described):
    """Hosts that share each other's work, by Ray. One host needs none of it."""

    machines: dict[HostName, LinkAddress] = Field(
        min_length=2, description="host → its address on the network over which they share work: ConnectX, or the LAN"
    )
    head: HostName = Field(description="the one of them that knows the others")
    token: SecretReference = Field(description="what each asks the others for: 32 characters or more")
    port: int = Field(
        default=9820, ge=1024, le=65535 - PORTS, description="the first of 30 that they open to each other"
    )
    store_mib: int = Field(default=1024, ge=128, le=65536, description="of a host's memory, for what is on its way")

    @property
    def ports(self) -> tuple[int, int]:
        """The first and the last of those that each machine opens to the others."""
        return self.port, self.port + PORTS - 1
