"""The log and its copies → each way of tampering under its own name, and nothing where nobody did."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sparkfleet import chain
from sparkfleet.audit_check import check_chain, compare
from sparkfleet.cloud import trail
from sparkfleet.cloud.trail import Copy

if TYPE_CHECKING:
    from collections.abc import Callable

YEAR = timedelta(days=365)
State = tuple[list[str], list[Copy]]


def _line(seq: int, previous: str, at: str, outcome: str = "done") -> str:
    words = dict.fromkeys(("who", "run", "fleet", "host", "kind", "old", "new", "detail"), "x")
    return chain.Record(seq=seq, at=at, previous=previous, outcome=outcome, **words).line()


def _chained(count: int, *outcomes: str, days_old: float = 0) -> list[str]:
    lines: list[str] = []
    for seq in range(count):
        at = datetime.now(UTC) - timedelta(days=days_old)
        written = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        previous = chain.digest(lines[-1]) if lines else chain.BEGINNING
        lines.append(_line(seq, previous, written, *outcomes[seq : seq + 1]))
    return lines


def _copy(line: str) -> Copy:
    made = chain.parsed(line)
    assert made
    digest = hashlib.md5(line.encode(), usedforsecurity=False).hexdigest()
    return Copy(f"audit/x/{trail.name(made)}", digest, len(line), again=0, hidden=False)


def _found(lines: list[str], copies: list[Copy], shipped: int = 4) -> list[tuple[str, int | None]]:
    compared = compare(lines, copies, trail.name, shipped, YEAR)
    return [(one.kind, one.line) for one in [*check_chain(lines), *compared] if one.tampering]


def _nothing(lines: list[str], copies: list[Copy]) -> State:
    return lines, copies


def _written_anew(lines: list[str], copies: list[Copy]) -> State:
    return _chained(len(lines), "done", "nothing happened"), copies


def _cut_off(lines: list[str], copies: list[Copy]) -> State:
    return lines[:2], copies


def _emptied(_lines: list[str], copies: list[Copy]) -> State:
    return [], copies


def _one_copy_lost(lines: list[str], copies: list[Copy]) -> State:
    return lines, copies[1:]


def _overwritten(lines: list[str], copies: list[Copy]) -> State:
    return lines, [*copies[:1], replace(copies[1], again=1), *copies[2:]]


def _hidden(lines: list[str], copies: list[Copy]) -> State:
    return lines, [*copies[:1], replace(copies[1], hidden=True), *copies[2:]]


def _put_before_us(lines: list[str], copies: list[Copy]) -> State:
    return lines, [*copies[:1], replace(copies[1], md5="0" * 32), *copies[2:]]


def _strange(lines: list[str], copies: list[Copy]) -> State:
    return lines, [*copies, replace(copies[0], key="audit/x/notes.txt")]


@pytest.mark.parametrize(
    ("tamper", "kinds"),
    [
        (_nothing, set()),
        (_written_anew, {("changed", n) for n in (1, 2, 3, 4)}),
        (_cut_off, {("missing here", 3), ("missing here", 4)}),
        (_emptied, {("missing here", n) for n in (1, 2, 3, 4)}),
        (_one_copy_lost, {("missing there", 1)}),
        (_overwritten, {("overwritten", 2)}),
        (_hidden, {("deleted", 2)}),
        (_put_before_us, {("changed", 2)}),
        (_strange, {("foreign", None)}),
    ],
)
def test_each_way_of_tampering_has_its_name(
    tamper: Callable[[list[str], list[Copy]], State], kinds: set[tuple[str, int | None]]
) -> None:
    """The chain alone would not show one of these: the copies do, with the line that is meant."""
    lines = _chained(4, days_old=1)

    assert set(_found(*tamper(lines, [_copy(line) for line in lines]))) == kinds


def test_what_waits_is_no_tampering() -> None:
    """Records behind the last shipped one are told as waiting, torn lines ask for no copy."""
    lines = _chained(3)

    [waits] = compare([*lines, '{"at'], [_copy(line) for line in lines[:2]], trail.name, 2, YEAR)

    assert (waits.kind, waits.line, waits.tampering) == ("unshipped", 3, False)


def test_a_copy_may_go_when_its_time_is_over() -> None:
    """A record older than the retention needs no copy; one within it does."""
    assert _found(_chained(1, days_old=366), [], shipped=1) == []
    assert _found(_chained(1, days_old=364), [], shipped=1) == [("missing there", 1)]
