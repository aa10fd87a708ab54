"""Two stand-ins → a wire between them, on a port that both have under one name (simulated ports, real packets).

It is gone when either of them is powered off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab import record, shell
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.instance import Instance


def plug(instance: Instance, first: str, second: str, port: str) -> None:
    """Put the two ends into the two stand-ins; raises LabError when one is off."""
    ends = {f"{instance.bridge}-{number}": host for number, host in enumerate((first, second))}
    one, other = ends
    shell.run("ip", "link", "add", one, "type", "veth", "peer", "name", other)
    for end, host in ends.items():
        shell.run("ip", "link", "set", end, "netns", str(_inside(instance, host)), "name", port)


def _inside(instance: Instance, host: str) -> int:
    """The stand-in's first process."""
    nspawn = record.alive(instance, host)
    children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split() if nspawn else []
    if not children:
        raise LabError(f"{host} is off", next_step=f"`python -m lab boot {host} --name {instance.name}`")
    return int(children[0])
