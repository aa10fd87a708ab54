"""A job and a ledger → the same work on all machines, until every piece has its record here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from workloads.errors import NodeError, ServiceError, printable
from workloads.label.spreading import hand
from workloads.label.spreading.crew import Crew, Lost
from workloads.label.spreading.ledger import Ledger

if TYPE_CHECKING:
    from workloads.label.spreading.hand import Order, Said
    from workloads.label.spreading.ledger import Piece
    from workloads.label.stages import Context, Report

NOBODY_S = 120.0  # without a machine; then the run ends, and goes on when it is started again


class Job(Protocol):
    """What is shared out."""

    what: str  # "documents"
    order: Order

    def common(self) -> dict[str, bytes]:
        """The files that every share needs, by their paths below its folder."""

    def share(self, names: list[str]) -> tuple[dict[str, bytes], list[str]]:
        """The files of these pieces, by their paths; and the pieces that are left out, for good."""

    def piece(self, said: Said) -> str:
        """Which piece a record is of; raises ValueError for one that is no record."""

    def take(self, said: list[Said]) -> None:
        """Put records down, after what lies beside them; raises ValueError when one is not what it should be."""

    def give_up(self, name: str) -> None:
        """Machines died over it, one after the other."""


def run(context: Context, job: Job, pieces: list[Piece]) -> Report:
    """Until all is done. Raises the first machine's error when none is left that can, ServiceError when none comes."""
    site = context.site.ray
    assert site  # noqa: S101  (who has none does it alone)
    spread = Spread(job, Ledger.of(pieces, site.share_bytes))
    began = seen = time.monotonic()
    if pieces:
        with Crew(site, job.order, job.common()) as crew:
            while not spread.ledger.ended:
                spread.turn(crew)
                done, seconds = len(spread.ledger.done), time.monotonic() - began
                what = f"{job.what}, {done / seconds:.1f} a second by {crew.size} machines"
                context.tell(done, len(pieces), what)
                seen = time.monotonic() if crew.members else seen
                spread.somebody(crew, time.monotonic() - seen)
    return spread.report()


@dataclass
class Spread:
    """Who has what, and what became of the machines."""

    job: Job
    ledger: Ledger
    machines: set[str] = field(default_factory=set)
    deaths: list[str] = field(default_factory=list)
    refused: dict[str, NodeError] = field(default_factory=dict)

    def turn(self, crew: Crew) -> None:
        """Hand out to whoever waits, take in what there is."""
        for machine in crew.idle:
            self.machines.add(crew.members[machine].name)
            self._hand_out(crew, machine)
        for machine, event in crew.events():
            if isinstance(event, Lost):
                self.deaths.append(event.detail)
                self._back(machine)
            else:
                self._said(crew, machine, event)

    def somebody(self, crew: Crew, alone_s: float) -> None:
        """Raise when nobody is there who could do the rest; machines that another run has are waited for."""
        if self.refused and not crew.members:
            raise next(iter(self.refused.values()))
        if alone_s >= NOBODY_S:
            raise ServiceError(
                f"no machine has come for {alone_s:.0f} s",
                usually="their Ray is down, or died again and again",
                next_step="`systemctl status sparkfleet-ray` on them; run it again then: what was done is kept.",
            )

    def report(self) -> Report:
        """For people: how many machines worked, which died and which could not."""
        return {
            "machines": len(self.machines),
            "died": ", ".join(self.deaths) or None,
            "not_used": "; ".join(error.what for error in self.refused.values()) or None,
        }

    def _hand_out(self, crew: Crew, machine: str) -> None:
        names = [piece.name for piece in self.ledger.take(machine, crew.size)]
        if not names:
            return
        files, gone = self.job.share(names)
        for name in gone:
            self.ledger.record(machine, name)
        if len(gone) < len(names):
            crew.give(machine, files)

    def _said(self, crew: Crew, machine: str, said: list[Said]) -> None:
        name = crew.members[machine].name
        try:
            self._take(machine, [each for each in said if each.of != hand.ENDED])
        except ValueError as error:
            self.refused[machine] = NodeError(f"{name}: what it answers cannot be used: {printable(str(error))}")
        for end in [each for each in said if each.of == hand.ENDED]:
            self._back(machine)  # what it held and said nothing of
            if end.line:
                self.refused[machine] = hand.heard(end.line, name)
        if machine in self.refused:
            self._back(machine)
            crew.dismiss(machine)

    def _take(self, machine: str, records: list[Said]) -> None:
        """Put down what the machine holds; whatever else it says, somebody has done, or will."""
        wanted = {name: each for each in records if self.ledger.holds(machine, name := self.job.piece(each))}
        self.job.take(list(wanted.values()))
        for name in wanted:
            self.ledger.record(machine, name)

    def _back(self, machine: str) -> None:
        for name in self.ledger.back(machine, lost=True):
            self.job.give_up(name)
