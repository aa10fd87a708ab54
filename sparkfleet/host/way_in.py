"""Changes → the runs in which they are carried out: what decides who gets in goes alone, under the host's guard.

Pure. Also the rule that keys for the worst day never change together with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkfleet.errors import SparkfleetError
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sparkfleet.host.plan import Change
    from sparkfleet.model import Fleet

KEYS = "file:/etc/ssh/authorized_keys/"
# A file that is no longer described belongs to no role any more; these still decide who gets in.
FOLDERS = ("file:/etc/ssh/", "file:/etc/sudoers", "listing:/etc/ssh/")


@dataclass(frozen=True)
class Stage:
    """Changes that are applied in one run; `guarded`: the host undoes them unless they are proven."""

    changes: tuple[Change, ...]
    guarded: bool


def stages(changes: Sequence[Change], *, converged: bool, tailnet_only: bool) -> list[Stage]:
    """The runs, in order; one of them, and no guard, when the way in stays what it is.

    A host that was never converged has no old state worth a guard, unless every way in but one is to be closed. There
    the tailnet is joined before: it opens a door, and installing it may take longer than any window.
    """
    if not (converged or tailnet_only):
        return [Stage(tuple(changes), guarded=False)]
    kept = {Role.TAILNET, Role.ACCESS} if converged else {Role.ACCESS}
    guarded = tuple(c for c in changes if c.role in kept or c.key.startswith(FOLDERS))
    if not guarded:
        return [Stage(tuple(changes), guarded=False)]
    order = list(Role)
    first = min(order.index(role) for role in kept)
    before = tuple(c for c in changes if c not in guarded and order.index(c.role) < first)
    after = tuple(c for c in changes if c not in guarded and order.index(c.role) > first)
    parts = (Stage(before, guarded=False), Stage(guarded, guarded=True), Stage(after, guarded=False))
    return [stage for stage in parts if stage.changes]


def is_converged(observed: Mapping[str, str]) -> bool:
    """Whether sparkfleet once brought this host's way in to a description."""
    return f"role:{Role.ACCESS}" in observed


def check_break_glass(fleet: Fleet, name: str, changes: Sequence[Change]) -> None:
    """Raise when one run would change break-glass keys and somebody else's: a mistake must not hit both at once."""
    changed = {
        c.key.removeprefix(KEYS) for c in changes if c.key.startswith(KEYS) and _digest(c.before) != _digest(c.after)
    }
    glass = {user for user in changed if user in fleet.access.users and fleet.access.users[user].break_glass}
    others = changed - glass
    if glass and others:
        raise SparkfleetError(
            f"{name}: one run would change the keys of {_named(glass)}, kept for the day on which nothing else opens, "
            f"together with those of {_named(others)}; nothing was touched.",
            usually="a description in which both were edited at once.",
            next_step=f"do it in two runs: put back the keys of {_named(glass)}, `pulumi up`, then change them alone.",
        )


def _digest(setting: str | None) -> str:
    """The content's part of a file's setting; nothing for none."""
    return (setting or "").partition(" ")[0]


def _named(users: set[str]) -> str:
    return ", ".join(sorted(users))
