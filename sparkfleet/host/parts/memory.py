"""Fleet, host → what the role memory wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.host.parts import MEMGUARD, Parts
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

# As the template of sudo's rule has it. No * of sudo's: it would match a blank, and another unit after it.
SUDO_COMMAND = (
    "/usr/bin/systemctl ^start spark-memguard@[1-9][0-9]?[0-9]?[0-9]?[0-9]?[KMGT](-slab)?(-watch)?[.]service$"
)
MEMGUARD_PATH = "/usr/local/lib/sparkfleet/memguard.pyz"


def memory(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001  (every role has the same signature)
    """The memory guard as one file; what lets people start it is a template, by polkit or by sudo."""
    return Parts(
        packages=("python3", "polkitd") if fleet.memory.rule == "polkit" else ("python3",),
        zipapps={MEMGUARD_PATH: MEMGUARD},
    )


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks of the host are told; nothing where it has no guard."""
    if Role.MEMORY not in fleet.hosts[name].all_roles:
        return {}
    callers = sorted({*fleet.access.users, *fleet.memory.callers})
    wanted = {"callers": callers, "rule": fleet.memory.rule, "serving": fleet.memory.serving}
    return wanted | ({"sudo_command": SUDO_COMMAND} if fleet.memory.rule == "sudo" else {})
