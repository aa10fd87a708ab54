"""Every piece of work is done once, or given up, whatever machines come, die and say."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from workloads.label.spreading.ledger import ALONE_AFTER, MOST_LOSSES, Ledger, Piece

MACHINES = st.sampled_from(["one", "two", "three"])


def sizes(ledger: Ledger, machine: str, machines: int) -> list[int]:
    """What a machine takes, one share after the other, when it does all."""
    found = []
    while share := ledger.take(machine, machines):
        found.append(len(share))
        for piece in share:
            ledger.record(machine, piece.name)
    return found


def test_shares_begin_long_and_end_short() -> None:
    """A quarter of what is left, for each of two machines: starts are few, and nobody waits long at the end."""
    shares = sizes(Ledger.of([Piece(str(n), 1) for n in range(100)], 1 << 20), "one", 2)
    assert shares[0] == 25
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 1
    assert sum(shares) == 100


def test_a_share_has_no_more_bytes_than_fit_but_for_its_first_piece() -> None:
    """A document larger than the room goes alone."""
    ledger = Ledger.of([Piece("a", 5), Piece("b", 5), Piece("giant", 99), Piece("c", 1)], 10)
    assert [piece.name for piece in ledger.take("one", 0)] == ["a", "b"]
    assert [piece.name for piece in ledger.take("two", 0)] == ["giant"]


def test_what_lost_machines_twice_takes_no_other_along() -> None:
    """It is given out alone, and given up when a third machine dies over it; the others are not."""
    ledger = Ledger.of([Piece(name, 1) for name in ("poison", "good", "c", "d")], 10)
    for _ in range(ALONE_AFTER):
        assert [piece.name for piece in ledger.take("one", 1)] == ["poison", "good"]
        assert ledger.back("one", lost=True) == []
    assert [piece.name for piece in ledger.take("one", 1)] == ["poison"]
    assert ledger.back("one", lost=True) == ["poison"]
    assert [piece.name for piece in ledger.take("one", 1)] == ["good"]


def test_a_machine_whose_work_was_given_to_another_has_no_say() -> None:
    """The word of one that was taken for dead does not count any more."""
    ledger = Ledger.of([Piece("a", 1)], 10)
    ledger.take("one", 1)
    ledger.back("one", lost=False)
    ledger.take("two", 1)
    assert not ledger.holds("one", "a")
    assert ledger.holds("two", "a")


class Machines(RuleBasedStateMachine):
    """Machines take, tell and die in any order."""

    @initialize(count=st.integers(0, 30), most=st.integers(1, 20))
    def begin(self, count: int, most: int) -> None:
        """Pieces of some sizes."""
        self.names = {str(n) for n in range(count)}
        self.ledger = Ledger.of([Piece(str(n), n % 7) for n in range(count)], most)
        self.recorded: Counter[str] = Counter()
        self.given_up: Counter[str] = Counter()

    @rule(machine=MACHINES)
    def take(self, machine: str) -> None:
        """One that has nothing to do asks."""
        if not self.ledger.held.get(machine):
            share = self.ledger.take(machine, 3)
            assert bool(share) == bool(share or self.ledger.waiting)

    @rule(machine=MACHINES, which=st.integers(0, 30))
    def tell(self, machine: str, which: int) -> None:
        """One says that a piece is done, which it may hold or not."""
        if self.ledger.holds(machine, str(which)):
            self.ledger.record(machine, str(which))
            self.recorded[str(which)] += 1

    @rule(machine=MACHINES, lost=st.booleans())
    def end(self, machine: str, lost: bool) -> None:
        """One dies, or comes to the end of its share."""
        self.given_up.update(self.ledger.back(machine, lost=lost))

    @invariant()
    def nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        """Each piece waits, is held, is done or was given up: exactly one of these."""
        held = [name for pieces in self.ledger.held.values() for name in pieces]
        places = [*(piece.name for piece in self.ledger.waiting), *held, *self.recorded, *self.given_up]
        assert Counter(places) == Counter(self.names)
        assert self.ledger.done == self.recorded.keys() | self.given_up.keys()
        assert all(count == 1 for count in [*self.recorded.values(), *self.given_up.values()])
        assert all(self.ledger.losses[name] == MOST_LOSSES for name in self.given_up)
        assert self.ledger.ended == (self.names == self.ledger.done)


TestMachines = Machines.TestCase
TestMachines.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
