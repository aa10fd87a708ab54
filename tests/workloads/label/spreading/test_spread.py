"""Machines take work, tell, fail and die: what is put down, who is not asked again, and when the run gives up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from workloads.errors import MissingModelError, NodeError, ServiceError
from workloads.label.spreading import hand
from workloads.label.spreading.crew import Lost, Member
from workloads.label.spreading.hand import ENDED, Order, Said
from workloads.label.spreading.ledger import Ledger, Piece
from workloads.label.spreading.spread import NOBODY_S, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator

END = Said(ENDED, b"", {})


@dataclass
class Names:
    """A job whose records are the names of its pieces."""

    what: str = "names"
    order: Order = field(default_factory=lambda: Order("convert", {}))
    taken: list[bytes] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    left_out: tuple[str, ...] = ()

    def common(self) -> dict[str, bytes]:
        """None."""
        return {}

    def share(self, names: list[str]) -> tuple[dict[str, bytes], list[str]]:
        """A file each."""
        gone = [name for name in names if name in self.left_out]
        return {name: b"" for name in names if name not in gone}, gone

    def piece(self, said: Said) -> str:
        """Its name."""
        return said.line.decode()

    def take(self, said: list[Said]) -> None:
        """Only what is no lie."""
        if any(each.line == b"lie" for each in said):
            raise ValueError("a lie")
        self.taken += [each.line for each in said]

    def give_up(self, name: str) -> None:
        """Keep it."""
        self.given_up.append(name)


@dataclass
class Script:
    """Machines that say what a test says, in the place of Ray's."""

    says: list[tuple[str, list[Said] | Lost]] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    dismissed: list[str] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def idle(self) -> list[str]:
        """Those without a share."""
        return [name for name in self.members if name not in self.given]

    @property
    def size(self) -> int:
        """All."""
        return len(self.members)

    def give(self, machine: str, files: dict[str, bytes]) -> None:
        """Keep it."""
        self.given[machine] = files

    def events(self) -> Iterator[tuple[str, list[Said] | Lost]]:
        """What the test says, once."""
        while self.says:
            machine, what = self.says.pop(0)
            if isinstance(what, Lost):
                del self.members[machine]
            if isinstance(what, Lost) or END in what:
                self.given.pop(machine, None)
            yield machine, what

    def dismiss(self, machine: str) -> None:
        """It goes."""
        del self.members[machine]
        self.dismissed.append(machine)


def begun(*names: str, machines: tuple[str, ...] = ("one",), job: Names | None = None) -> tuple[Spread, Script, Names]:
    """A spread whose first shares are handed out."""
    job = job or Names()
    spread = Spread(job, Ledger.of([Piece(name, 1) for name in names], 100))
    crew = Script(members={name: Member(name, None, None, ready=True) for name in machines})
    spread.turn(crew)
    return spread, crew, job


def said(*names: str) -> list[Said]:
    """Records."""
    return [Said("file", name.encode(), {}) for name in names]


def test_a_record_counts_once_and_only_from_who_holds_it() -> None:
    """A second one of the same piece, and one of a piece that was never given to it, are not put down."""
    spread, crew, job = begun("a", "b")
    crew.says = [("one", said("a", "a", "b")), ("one", said("a"))]
    spread.turn(crew)
    assert job.taken == [b"a"]


def test_what_a_dead_machine_held_goes_to_another() -> None:
    """It had said one of two; the other one is done by the machine that is left, and the report names the dead."""
    spread, crew, job = begun("a", "b", "c", "d", machines=("one", "two"))
    assert list(crew.given["one"]) == ["a"]
    crew.says = [("one", Lost("one: ActorDiedError")), ("two", [*said("b"), END])]
    spread.turn(crew)
    while not spread.ledger.ended:
        spread.turn(crew)
        crew.says = [("two", [*said(*crew.given["two"]), END])]
        spread.turn(crew)
    assert sorted(job.taken) == [b"a", b"b", b"c", b"d"]
    assert spread.report() == {"machines": 2, "died": "one: ActorDiedError", "not_used": None}


def test_a_machine_that_cannot_is_told_and_asked_no_more() -> None:
    """Its stage ended with an error: the other machine does all of it."""
    spread, crew, _ = begun("a", machines=("one",))
    crew.members["two"] = Member("two", None, None, ready=True)
    fault = hand.told(MissingModelError("no layout model", next_step="put it there."))
    crew.says = [("one", [Said(ENDED, fault, {})])]
    spread.turn(crew)
    assert crew.dismissed == ["one"]
    spread.turn(crew)
    assert list(crew.given["two"]) == ["a"]
    assert spread.report()["not_used"] == "one: no layout model"


def test_an_answer_that_cannot_be_used_is_the_machines_end() -> None:
    """Nothing of it is put down, and its pieces wait again."""
    spread, crew, job = begun("lie")
    crew.says = [("one", said("lie"))]
    spread.turn(crew)
    assert (crew.dismissed, job.taken) == (["one"], [])
    assert "cannot be used: a lie" in str(spread.report()["not_used"])
    assert not spread.ledger.ended


def test_the_first_machines_error_is_raised_when_none_is_left() -> None:
    """With its exit code, as if the stage had run here."""
    spread, crew, _ = begun("a")
    crew.says = [("one", [Said(ENDED, hand.told(MissingModelError("no layout model")), {})])]
    spread.turn(crew)
    with pytest.raises(NodeError, match="one: no layout model") as raised:
        spread.somebody(crew, 0)
    assert raised.value.exit_code == MissingModelError.exit_code


def test_without_a_machine_the_run_ends_after_a_while_only() -> None:
    """One that is booting is waited for; one that never comes is told."""
    spread = Spread(Names(), Ledger.of([Piece("a", 1)], 1))
    spread.somebody(Script(), NOBODY_S - 1)
    with pytest.raises(ServiceError):
        spread.somebody(Script(), NOBODY_S)


def test_pieces_that_are_not_there_any_more_are_handed_to_nobody() -> None:
    """A share of which nothing is left does not begin."""
    spread, crew, _ = begun("a", job=Names(left_out=("a",)))
    assert not crew.given
    assert spread.ledger.ended
