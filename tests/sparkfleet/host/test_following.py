"""A job on a host that answers as it likes → every byte that it said, once, and its exit code."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import SparkfleetError, UnreachableError
from sparkfleet.host import node
from sparkfleet.host.connection import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB = "20261121-173000-1a2b"
LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=8), max_size=8)


@dataclass
class Host:
    """Keeps a job's streams; of each turn a number says how many bytes it hands out, None that the line breaks."""

    streams: dict[str, bytes]
    turns: Iterator[int | None]
    end: dict[str, Any] = field(default_factory=lambda: {"state": "ended", "code": 3})
    target: Any = field(default_factory=lambda: SimpleNamespace(name="spark-01"))

    def __enter__(self) -> Self:
        """A new connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Its end."""

    def run(self, command: str, *, stdin: str = "") -> Result:  # noqa: ARG002
        """Answer a look as jobs.py does."""
        turn = next(self.turns, 1 << 20)
        if turn is None:
            raise UnreachableError("spark-01 stopped answering.")
        *_, out_at, err_at = command.split()
        said = {"out": self.streams["out"][int(out_at) :][:turn], "err": self.streams["err"][int(err_at) :][:turn]}
        parts = {stream: base64.b64encode(data).decode() for stream, data in said.items()}
        running = any(said.values()) and turn < 1 << 20
        return Result(0, json.dumps({**({"state": "running"} if running else self.end), **parts}), "")


def followed(monkeypatch: pytest.MonkeyPatch, host: Host, **words: Any) -> tuple[int, dict[str, list[str]]]:
    """Follow the job to its end: its code, and what was shown of each stream."""
    shown: dict[str, list[str]] = {"out": [], "err": []}
    monkeypatch.setattr(node, "Session", lambda _: host)
    words = {"pause": lambda _: None, **words}
    following = node.Following(host.target, JOB, lambda s, text: shown[s].append(text), lambda _: None, **words)
    return following.to_the_end(), shown


@given(LINES, LINES, st.lists(st.none() | st.integers(1, 5), max_size=40))
def test_nothing_is_lost_or_shown_twice_however_the_line_breaks(
    out: list[str], err: list[str], turns: list[int | None]
) -> None:
    """Also when a character comes in two parts, and when the connection goes between them."""
    streams = {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in (("out", out), ("err", err))}
    with pytest.MonkeyPatch.context() as patch:
        code, shown = followed(patch, Host(streams, iter(turns)))

    assert code == 3
    assert {s: "".join(f"{text}\n" for text in texts).encode() for s, texts in shown.items()} == streams


def test_a_last_line_without_an_end_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is killed ends in the middle of one."""
    assert followed(monkeypatch, Host({"out": b"half", "err": b""}, iter([2]))) == (3, {"out": ["half"], "err": []})


def test_what_a_host_says_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """An escape sequence becomes a question mark; lines stay lines."""
    _, shown = followed(monkeypatch, Host({"out": b"a\x1b[2Jb\nc\n", "err": b""}, iter([])))

    assert shown["out"] == ["a?[2Jb\nc"]


def test_a_job_that_nobody_saw_end_is_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host lost its power: that is no exit code of the verb's."""
    with pytest.raises(node.JobLostError, match="nobody saw its end"):
        followed(monkeypatch, Host({"out": b"x\n", "err": b""}, iter([]), {"state": "lost"}))


def test_a_host_that_stays_away_ends_the_following_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the patience is over, not before; pauses grow and stay bounded."""
    now, pauses = [0.0], []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    away = Host({"out": b"", "err": b""}, iter([None] * 1000))
    with pytest.raises(UnreachableError, match=f"--follow {JOB} spark-01"):
        followed(monkeypatch, away, pause=pause, clock=lambda: now[0], patience_s=60)

    assert pauses[:6] == [1, 2, 4, 8, 15, 15]
    assert 60 < now[0] <= 60 + node.LONGEST_PAUSE_S


@pytest.mark.parametrize("name", ["", "../x", "20261121-173000-1a2b; reboot", "$(reboot)"])
def test_only_the_name_of_a_job_becomes_a_word_of_a_command(name: str) -> None:
    """Whether a person or a host said it."""
    with pytest.raises(SparkfleetError, match="not the name of a job"):
        node.checked(name)


@pytest.mark.parametrize(
    "answer", ["", "[]", '{"state": 1', '{"state": "ended"}', '{"state": "ended", "out": "?"}', '{"out": "YQ"}']
)
def test_another_answer_than_a_jobs_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """A host that was taken over gets no traceback out of it."""
    host = Host({"out": b"", "err": b""}, iter([]))
    monkeypatch.setattr(host, "run", lambda *_, **__: Result(0, answer, ""))

    with pytest.raises(SparkfleetError):
        followed(monkeypatch, host)
