"""The described hosts → the rings in which they are upgraded: canary, wave, rest. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sparkfleet.forms import Described
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from sparkfleet.model import Fleet

CANARY, WAVE, REST = NAMES = ("canary", "wave", "rest")
WAVE_SHARE = 0.25  # of the hosts beside the canary


class Ring(Described):
    """Hosts that are done, and have stayed well for a while, before the next ring begins."""

    name: str
    hosts: tuple[str, ...]


def rings(fleet: Fleet, chosen: Collection[str] | None = None) -> tuple[Ring, ...]:
    """Every described host in exactly one ring; with `chosen` only those, in the rings that they have in the fleet.

    Unless described: the canary is the first host that is no monitor (one who watches should not go first), the wave a
    quarter of the others, at least one. Rings without a host are left out.
    """
    wanted, names = fleet.upgrade, list(fleet.hosts)
    monitors = fleet.with_role(Role.MONITOR)
    canary = wanted.canary or [name for name in names if name not in {*monitors, *wanted.wave}][:1]
    canary = canary or [name for name in names if name not in wanted.wave][:1]
    # Monitors last, where nobody said otherwise: they see the others come back.
    others = sorted((name for name in names if name not in canary), key=lambda name: name in monitors)
    wave = wanted.wave or others[: math.ceil(len(others) * WAVE_SHARE)]
    parts = {CANARY: canary, WAVE: wave, REST: [name for name in others if name not in wave]}
    kept = {ring: tuple(host for host in hosts if chosen is None or host in chosen) for ring, hosts in parts.items()}
    return tuple(Ring(name=name, hosts=hosts) for name, hosts in kept.items() if hosts)


def variables(fleet: Fleet, name: str) -> dict[str, Any]:
    """What playbooks/upgrade.yml and reboot.yml need to know of a host, under the name `sparkfleet_upgrade`."""
    host, rules = fleet.hosts[name], fleet.upgrade.model_dump(mode="json")
    ring = next(ring.name for ring in rings(fleet) if name in ring.hosts)
    return {**rules, "ring": ring, "sysfs": str(host.sysfs), "procfs": str(host.procfs)}
