"""Observed settings and desired settings → the list of changes that everything people read prints.

Pure: preview, drift, `spark plan` and apply all work from this one list.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sparkfleet.host import merged
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sparkfleet.host.desired import Desired

PENDING = "pending"  # what a role's marker says while, or after, an apply did not reach its end


@dataclass(frozen=True)
class Change:
    """One setting that differs, and its role. `before` None: not there yet; `after` None: to be taken away."""

    key: str
    before: str | None
    after: str | None
    role: Role
    disruptive: bool
    reason: str

    def as_dict(self) -> dict[str, object]:
        """The same for `--json`."""
        return asdict(self)


def plan(observed: Mapping[str, str], desired: Desired) -> list[Change]:
    """What has to change on the host, by role and key; empty when it is as described.

    A key that was observed but is not described (a file that sparkfleet shipped once) is to be removed.
    """
    changes = []
    for key in sorted({*observed, *desired.settings}):
        before, after = observed.get(key), desired.settings.get(key)
        if before != after:
            role = desired.role_of(key) or _role_of_the_gone(key, desired)
            changes.append(Change(key, before, after, role, desired.disruptive(key), _reason(key, before, after)))
    order = list(Role)
    return sorted(changes, key=lambda change: (order.index(change.role), change.key))


def roles_of(changes: Iterable[Change]) -> list[Role]:
    """The roles that have to run for these changes, each once, in order of application."""
    named = {change.role for change in changes}
    return [role for role in Role if role in named]


def _role_of_the_gone(key: str, desired: Desired) -> Role:
    """Who takes away what is no longer described: the role that once shipped it may have left the host."""
    kind, _, name = key.partition(":")
    if kind == merged.KIND and (owner := merged.owner(desired, name.partition("#")[0])):
        return Role(owner)
    return Role.ACCESS if key.startswith("user:") else Role.BASE


def _reason(key: str, before: str | None, after: str | None) -> str:
    """Why, in a few words; the values themselves stand beside it."""
    kind = key.partition(":")[0]
    if after is None:
        return "no longer described"
    if before is None:
        return "not there yet"
    if kind == merged.KIND and before.startswith(merged.BROKEN):
        return "its file is no JSON: mend it on the host, it is not overwritten"
    if kind == "role":
        return "an earlier apply was interrupted" if before == PENDING else "the role's tasks changed"
    if kind == "file" and before.split()[0] == after.split()[0]:
        return "owner or mode differs"
    return {
        "environment": "it was made from another lock, or for another Python",
        "file": "content differs",
        "identity": "the host enrols again",
        "listing": "holds other files than described",
        "secret": "the host's key is another one, or the file was touched",
    }.get(kind, "differs")
