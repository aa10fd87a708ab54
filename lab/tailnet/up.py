"""A lab whose stand-ins run → its tailnet is up and they can join it. Nobody joins here: that is the role's work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import spark
from lab.tailnet import control, controller, package

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lab.instance import Instance


def up(instance: Instance, hosts: Iterable[str], tools: Mapping[str, Path]) -> None:
    """Start what does not run and offer the package to the hosts; `tools` are those of `toolchain.TAILNET`."""
    control.up(instance, tools["control"])
    controller.up(instance, tools["tailscaled"], tools["tailscale"])
    for host in hosts:
        offer(instance, host, tools)


def offer(instance: Instance, host: str, tools: Mapping[str, Path]) -> None:
    """Let `apt-get install tailscale` on a stand-in that is on find the package, without network."""
    package.offer(spark.tree(instance, host), package.ensure(tools["tailscaled"], tools["tailscale"]))
