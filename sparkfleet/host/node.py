"""A host and the words of a `spark-node` verb → the verb as a systemd unit there, followed to its end from here.

The unit lives on the host (`jobs.py`): a lost connection, a closed lid or Ctrl-C end only the following. How far it
came is two offsets in bytes, so no line is shown twice and none is lost.
"""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError, UnreachableError
from sparkfleet.host.connection import Session, Target
from sparkfleet.text import parsed, printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = "sudo -n /usr/bin/python3 -IS /usr/local/lib/sparkfleet/jobs.py"
JOB = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
STREAMS = ("out", "err")
PATIENCE_S = 900.0  # without any answer: a host that is rebooted for a while, a laptop that was asleep
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0
MOST_LINE = 1 << 20  # characters; what is longer is shown in parts


class JobLostError(SparkfleetError):
    """Nobody saw the end of a job: the host went down while it ran."""


def asked(session: Session, words: str, *, stdin: str = "") -> dict[str, Any]:
    """One question to jobs.py, the streams of its answer as bytes.

    Raises UnreachableError, or SparkfleetError with the host's own words.
    """
    done = session.run(f"{JOBS} {words}", stdin=stdin)
    if done.code:
        absent = "can't open file" in done.stderr or ".service not found" in done.stderr
        raise SparkfleetError(
            f"{session.target.name}: {printable(done.stderr.strip()) or f'jobs.py ended with {done.code}'}",
            usually="the host has not the role of this verb (node, label), or was not brought to its description yet."
            if absent
            else "",
            next_step=f"look at hosts.{session.target.name}.roles, then run `spark plan {session.target.name}`."
            if absent
            else "`spark node --list HOST` shows its jobs.",
        )
    try:
        answer = parsed(done.stdout)
        return {**answer, **{s: base64.b64decode(str(answer.get(s, "")), validate=True) for s in STREAMS}}
    except (ValueError, TypeError, AttributeError) as error:
        raise SparkfleetError(f"{session.target.name} gave an answer that jobs.py does not give: {error}.") from error


def start(target: Target, words: tuple[str, ...]) -> str:
    """Start `spark-node WORDS` on the host; returns the job's name. Raises UnreachableError, SparkfleetError."""
    with Session(target) as session:
        job = str(asked(session, "start", stdin=json.dumps({"words": words})).get("id"))
    return checked(job)


def stop(target: Target, job: str) -> None:
    """End the job on the host."""
    with Session(target) as session:
        asked(session, f"stop {checked(job)}")


def jobs(target: Target) -> list[dict[str, Any]]:
    """The jobs that the host keeps: id, words, started, state, code; the latest last."""
    with Session(target) as session:
        found = asked(session, "list").get("jobs")
    return [job for job in found if isinstance(job, dict)] if isinstance(found, list) else []


def checked(job: str) -> str:
    """The name of a job, which becomes a word of a command; raises SparkfleetError when it is none."""
    if not JOB.fullmatch(job):
        raise SparkfleetError(
            f"{printable(job)!r} is not the name of a job (20261121-173000-1a2b).",
            next_step="`spark node --list HOST` shows them.",
        )
    return job


@dataclass
class Following:
    """How far a job was followed; `show(stream, text)` gets whole lines, `say` what happens to the connection."""

    target: Target
    job: str
    show: Callable[[str, str], None]
    say: Callable[[str], None]
    patience_s: float = PATIENCE_S
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    at: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))
    _rest: dict[str, bytes] = field(default_factory=lambda: dict.fromkeys(STREAMS, b""))

    def to_the_end(self) -> int:
        """The job's exit code; a lost connection is made anew.

        Raises UnreachableError after `patience_s` of silence, JobLostError when the job is gone without an end.
        """
        heard, pause_s = self.clock(), FIRST_PAUSE_S
        while True:
            try:
                with Session(self.target) as session:
                    while (code := self.step(session)) is None:
                        heard, pause_s = self.clock(), FIRST_PAUSE_S
                    return code
            except UnreachableError as error:
                if self.clock() - heard > self.patience_s:
                    raise UnreachableError(
                        f"{self.target.name} has not answered for {self.patience_s / 60:.0f} min: {error.what}",
                        usually="it is off or cut off; the job may go on there.",
                        next_step=follow_again(self.target.name, self.job),
                    ) from error
                self.say(f"{self.target.name} does not answer; the job goes on there, asking again in {pause_s:.0f} s")
                self.pause(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def step(self, session: Session) -> int | None:
        """Show what is new; the exit code when that was all."""
        answer = asked(session, f"look {self.job} {self.at['out']} {self.at['err']}")
        new = False
        for stream in STREAMS:
            data = answer[stream]
            self.at[stream] += len(data)
            new |= bool(data)
            self._take(stream, data)
        if answer.get("state") == "running" or new:  # an ended job may have more to say than fits one answer
            return None
        for stream in STREAMS:
            self._take(stream, b"", last=True)
        if answer.get("state") != "ended" or not isinstance(answer.get("code"), int):
            raise JobLostError(
                f"{self.target.name}: job {self.job} is gone, and nobody saw its end.",
                usually="the host was rebooted or lost its power while it ran.",
                next_step="start it again; `spark-node` goes on where it stopped.",
            )
        return int(answer["code"])

    def _take(self, stream: str, data: bytes, *, last: bool = False) -> None:
        """Hand on whole lines: a character may be cut in two between answers."""
        whole, newline, rest = (self._rest[stream] + data).rpartition(b"\n")
        if last or len(rest) > MOST_LINE:
            whole, newline, rest = whole + newline + rest, b"", b""
        self._rest[stream] = rest
        if whole or newline:
            self.show(stream, printable_lines(whole.decode(errors="replace")))


def follow_again(host: str, job: str) -> str:
    """What to do to hear the rest."""
    return f"`spark node --follow {job} {host}` goes on where you like; `spark node --stop {job} {host}` ends it."
