"""Pieces of work and machines → who does what next; pure. Every piece is done once, whatever dies.

Shares are guided self-scheduling (Polychronopoulos and Kuck, 1987): a fixed fraction of what is left, so that the first
ones are long enough for a stage's start not to matter, and the last ones so short that nobody waits long for one.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARES = 2  # a machine's share is what is left, by so many times the machines
MOST_LOSSES = 3  # machines that died over a piece; then it is the piece
ALONE_AFTER = 2  # losses, after which a piece takes no other along


@dataclass(frozen=True)
class Piece:
    """What one record will be of: a document, an item."""

    name: str
    size_bytes: int


@dataclass
class Ledger:
    """`waiting` in the order in which they are given out; `held` by machine."""

    waiting: deque[Piece]
    most_bytes: int  # of a share, but for its first piece
    held: dict[str, dict[str, Piece]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    losses: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, pieces: Iterable[Piece], most_bytes: int) -> Ledger:
        """All of them waiting."""
        return cls(deque(pieces), most_bytes)

    def take(self, machine: str, machines: int) -> list[Piece]:
        """The machine's next share; empty when nothing waits. A machine has one at a time."""
        share: list[Piece] = []
        count, room = ceil(len(self.waiting) / (SHARES * max(1, machines))), self.most_bytes
        while self.waiting and len(share) < count:
            piece = self.waiting[0]
            lost = self.losses[piece.name]
            if share and (piece.size_bytes > room or lost >= ALONE_AFTER):
                break
            share.append(self.waiting.popleft())
            room -= piece.size_bytes
            if lost >= ALONE_AFTER:
                break
        if share:
            self.held[machine] = {piece.name: piece for piece in share}
        return share

    def holds(self, machine: str, name: str) -> bool:
        """Whether its word on a piece counts."""
        return name in self.held.get(machine, {})

    def record(self, machine: str, name: str) -> None:
        """A piece that the machine holds is done."""
        del self.held[machine][name]
        self.done.add(name)

    def back(self, machine: str, *, lost: bool) -> list[str]:
        """The machine has come to an end: what it still held waits again. `lost`: it died, or failed.

        Returns those that were lost too often: they wait no longer, and somebody has to say so.
        """
        given_up = []
        for piece in reversed(self.held.pop(machine, {}).values()):
            self.losses[piece.name] += lost
            if self.losses[piece.name] >= MOST_LOSSES:
                given_up.append(piece.name)
                self.done.add(piece.name)
            else:
                self.waiting.appendleft(piece)
        return given_up

    @property
    def ended(self) -> bool:
        """Whether every piece is done."""
        return not self.waiting and not any(self.held.values())
