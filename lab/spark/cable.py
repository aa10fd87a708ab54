"""Two stand-ins → a wire between them, on a port that both have under one name (simulated ports, real packets).

It is gone when either of them is powered off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import shell
from lab.spark import machine

if TYPE_CHECKING:
    from lab.instance import Instance


def plug(instance: Instance, first: str, second: str, port: str) -> None:
    """Put the two ends into the two stand-ins; raises LabError when one is off."""
    ends = {f"{instance.bridge}-{number}": host for number, host in enumerate((first, second))}
    one, other = ends
    shell.run("ip", "link", "add", one, "type", "veth", "peer", "name", other)
    for end, host in ends.items():
        shell.run("ip", "link", "set", end, "netns", str(machine.first_process(instance, host)), "name", port)
