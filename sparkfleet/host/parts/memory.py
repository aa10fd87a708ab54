"""Fleet, host → what the role memory wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import MEMGUARD, Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

MEMGUARD_PATH = "/usr/local/lib/sparkfleet/memguard.pyz"


def memory(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001  (every role has the same signature)
    """The memory guard as one file; what lets people start it is a template, by polkit or by sudo."""
    return Parts(
        packages=("python3", "polkitd") if fleet.memory.rule == "polkit" else ("python3",),
        zipapps={MEMGUARD_PATH: MEMGUARD},
    )


def callers(fleet: Fleet) -> list[str]:
    """Who may start the guard, by name."""
    return sorted({*fleet.access.users, *fleet.memory.callers})
