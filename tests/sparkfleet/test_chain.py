"""Records appended to a log → a chain in which every change shows, and which outlives a crash."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING

import pytest

from sparkfleet import chain
from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def told(outcome: str) -> dict[str, str]:
    """The fields that are not the chain's own."""
    names = ("who", "run", "fleet", "host", "kind", "old", "new", "detail")
    return dict.fromkeys(names, "x") | {"outcome": outcome}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with the story of one rotation."""
    file = tmp_path / "audit/office.jsonl"
    for outcome in ("began", "added", "proven", "switched", "removed"):
        chain.append(file, told(outcome))
    return file


def test_each_line_follows_the_one_before(log: Path) -> None:
    """Each line holds its number and the digest of the line before, and only the owner may read the file."""
    lines = chain.read_lines(log)
    made = [chain.parsed(line) for line in lines]

    assert [one and (one.seq, one.outcome) for one in made] == list(
        enumerate(["began", "added", "proven", "switched", "removed"])
    )
    assert [one and one.previous for one in made] == [chain.BEGINNING, *map(chain.digest, lines[:-1])]
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert chain.verify_chain(lines) == []


def _remove(lines: list[str]) -> list[str]:
    return lines[:2] + lines[3:]


def _remove_first(lines: list[str]) -> list[str]:
    return lines[1:]


def _change(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[2].replace("proven", "failed"), *lines[3:]]


def _reorder(lines: list[str]) -> list[str]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _repeat(lines: list[str]) -> list[str]:
    return [*lines, lines[-1]]


def _spoil(lines: list[str]) -> list[str]:
    return [*lines[:2], "{}", *lines[3:]]


def _other_form(lines: list[str]) -> list[str]:
    return [*lines[:2], json.dumps(json.loads(lines[2])), *lines[3:]]


@pytest.mark.parametrize("tamper", [_remove, _remove_first, _change, _reorder, _repeat, _spoil, _other_form])
def test_a_tampered_log_shows(log: Path, tamper: Callable[[list[str]], list[str]]) -> None:
    """Lines removed, changed, moved, repeated or written otherwise are found."""
    assert chain.verify_chain(tamper(chain.read_lines(log)))


@pytest.mark.parametrize("left", [1, 40, -2])
def test_a_line_torn_by_a_crash_is_kept_and_the_chain_goes_on(log: Path, left: int) -> None:
    """What a crash left of the last line stays, the next record says so, and nothing is called tampering."""
    whole = log.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    log.write_bytes(whole[:last] + whole[last:][:left])
    torn = chain.read_lines(log)
    assert chain.verify_chain(torn) == []

    chain.append(log, told("removed"))

    lines = chain.read_lines(log)
    assert lines[:-1] == torn
    assert (json.loads(lines[-1])["torn"], chain.verify_chain(lines)) == (True, [])
    assert chain.verify_chain([*lines[:-2], "[", lines[-1]]), "the torn line is part of the chain"


def test_a_line_that_lacks_only_its_end_is_a_record(log: Path) -> None:
    """A crash between the last brace and the line break loses nothing."""
    log.write_bytes(log.read_bytes().removesuffix(b"\n"))

    chain.append(log, told("done"))

    lines = chain.read_lines(log)
    assert [chain.parsed(line) is None for line in lines] == [False] * 6
    assert chain.verify_chain(lines) == []


def _write_many(log: Path, count: int) -> None:
    for _ in range(count):
        chain.append(log, told("done"))


def test_records_of_several_processes_make_one_chain(log: Path) -> None:
    """Three processes that write at once leave every record, in one unbroken chain."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(log, 20)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)

    lines = chain.read_lines(log)
    assert (len(lines), chain.verify_chain(lines)) == (65, [])


def test_a_log_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    """Where the folder cannot be made nothing is written, and the error has a next step."""
    (tmp_path / "audit").write_text("in the way")

    with pytest.raises(SparkfleetError, match="could not be written") as raised:
        chain.append(tmp_path / "audit/office.jsonl", told("began"))

    assert "run the same command again" in raised.value.next_step
