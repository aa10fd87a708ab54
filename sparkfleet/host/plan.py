"""Observed settings and desired settings → the list of changes that everything people read prints.

Pure: preview, drift, `spark plan` and apply all work from this one list.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sparkfleet.host.desired import Desired
    from sparkfleet.model import Role

PENDING = "pending"  # what a role's marker says while, or after, an apply did not reach its end


@dataclass(frozen=True)
class Change:
    """One setting that differs. `before` None: not there yet; `after` None: no longer described."""

    key: str
    before: str | None
    after: str | None
    role: Role | None
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
            changes.append(
                Change(key, before, after, desired.role_of(key), desired.disruptive(key), _reason(key, before, after))
            )
    order = {role: place for place, role in enumerate(desired.roles)}
    return sorted(changes, key=lambda c: (order[c.role] if c.role else len(order), c.key))


def roles_of(changes: Iterable[Change]) -> list[Role]:
    """The roles that have to run for these changes, each once, in order of application."""
    from sparkfleet.model import ALWAYS, Role

    named = {change.role or ALWAYS[0] for change in changes}  # what is no longer described is removed with base
    return [role for role in Role if role in named]


def _reason(key: str, before: str | None, after: str | None) -> str:
    """Why, in a few words; the values themselves stand beside it."""
    kind = key.partition(":")[0]
    if after is None:
        return "no longer described"
    if before is None:
        return "not there yet"
    if kind == "role":
        return "an earlier apply was interrupted" if before == PENDING else "the role's tasks changed"
    if kind == "file" and before.split()[0] == after.split()[0]:
        return "owner or mode differs"
    return {
        "file": "content differs",
        "listing": "holds other files than described",
        "secret": "another generation is wanted, or the file was touched",
    }.get(kind, "differs")
