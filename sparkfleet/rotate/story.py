"""What a rotation does, step by step → the audit log, and words for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkfleet import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.audit import Kind
    from sparkfleet.model import Fleet


@dataclass
class Story:
    """One kind of rotation as it is told; `old` and `new` are fingerprints or key ids, by host."""

    fleet: Fleet
    kind: Kind
    say: Callable[[str], None] = lambda _: None
    told: list[dict[str, str]] = field(default_factory=list)

    def tell(self, host: str, outcome: str, *, old: str = "", new: str = "", detail: str = "") -> None:
        """On disk in the audit log when this returns."""
        audit.record(self.fleet, host, self.kind, outcome, old=old, new=new, detail=detail)
        self.told.append({"host": host, "kind": self.kind, "outcome": outcome, "old": old, "new": new})
        names = f" ({' → '.join(filter(None, (old, new)))})" if old or new else ""
        self.say(f"{host}: {self.kind}: {outcome}{f': {detail}' if detail else ''}{names}")
