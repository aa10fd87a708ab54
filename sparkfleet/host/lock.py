"""A host and a purpose → nobody else changes the host meanwhile: `with lock.held(target, "spark rotate ssh"):`.

The lock lies on the host, whichever controller asks, and lives with a connection of its own (docs/decisions/0015).
"""

from __future__ import annotations

import contextlib
import getpass
import json
import math
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import LockedError, SparkfleetError, UnreachableError
from sparkfleet.host.connection import Session, Target
from sparkfleet.monitoring.words import duration
from sparkfleet.text import parsed, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sparkfleet.host.wire import Dialogue

SCRIPT = Path(__file__).with_name("lock_script.py")
FOLDER = "/run/sparkfleet"
BEAT_S = 5.0
SILENCE_S = 30  # without a heartbeat the host takes the lock away
MOST_NAME = 60  # characters
DAY_S = 86400.0

_mine: dict[tuple[str, Path], Held] = {}  # by name and pins: what this process holds


@dataclass(frozen=True)
class Holder:
    """Who has, or had, a host; as the host tells it."""

    purpose: str
    who: str
    process: int
    age_s: float

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Holder:
        """From the host's answer; what it does not say, or says in another form, is unknown."""

        def word(key: str) -> str:
            return printable(told[key], MOST_NAME) if isinstance(told.get(key), str) else "unknown"

        process = told.get("process")
        times = [told.get("now_s"), told.get("began_s")]
        known = all(isinstance(t, int | float) and math.isfinite(t) for t in times)
        age_s = float(times[0]) - float(times[1]) if known else 0.0  # type: ignore[arg-type]
        return cls(word("purpose"), word("who"), process if isinstance(process, int) else 0, max(age_s, 0.0))

    def __str__(self) -> str:
        """Since when by this machine's clock: a host's may be wrong."""
        form = "%H:%M:%S" if self.age_s < DAY_S else "%Y-%m-%d %H:%M"
        since = time.strftime(form, time.localtime(time.time() - min(self.age_s, 1e9)))
        return f'"{self.purpose}" of {self.who} (process {self.process}) since {since}, for {duration(self.age_s)}'


class Held:
    """A lock that is held; heartbeats keep it, and take it again when their connection breaks."""

    def __init__(self, target: Target, purpose: str) -> None:
        """Raises LockedError, UnreachableError, or SparkfleetError when the host cannot lock at all."""
        who = f"{getpass.getuser()}@{socket.gethostname()}"
        self._name = {"purpose": purpose, "who": who, "process": os.getpid(), "run": uuid.uuid4().hex}
        self._target, self._lost, self._left = target, "", threading.Event()
        self._session, self._dialogue, self.stale = self._take()
        self._heart = threading.Thread(target=self._beat, name=f"lock-{target.name}", daemon=True)
        self._heart.start()

    def check(self) -> None:
        """Raise LockedError when the lock was lost on the way: ask before a step that must not meet another run."""
        if self._lost:
            raise LockedError(
                f"{self._target.name} was lost while {self._name['purpose']!r} was under way: {self._lost}",
                usually=f"the connection was cut for more than {SILENCE_S} s, and the host gave the lock away.",
                next_step="look at the host, then run the same command again: it goes on where it stopped.",
            )

    def leave(self) -> None:
        """Give the lock back; it is free when this returns, unless the host has fallen silent. Never raises."""
        self._left.set()
        with contextlib.suppress(Exception):  # whatever paramiko makes of a dead connection: the host frees it itself
            self._dialogue.say("done\n")
            self._dialogue.hear(timeout_s=BEAT_S)  # its end
        self._session.close()

    def _beat(self) -> None:
        while not self._left.wait(BEAT_S):
            try:
                self._dialogue.say("beat\n")
            except Exception:  # noqa: BLE001  (whatever it was: a heart that stops loses the lock)
                self._session.close()
                self._take_again()

    def _take_again(self) -> None:
        try:
            session, dialogue, _ = self._take()
        except SparkfleetError as error:
            self._lost = error.what
            return
        if self._left.is_set():
            session.close()
        else:
            self._session, self._dialogue, self._lost = session, dialogue, ""

    def _take(self) -> tuple[Session, Dialogue, Holder | None]:
        session = Session(self._target)
        try:
            dialogue, answer = _asked(session, self._name)
        except BaseException:
            session.close()
            raise
        if answer.get("held") is True:
            stale = answer.get("stale")
            return session, dialogue, Holder.read(stale) if isinstance(stale, dict) else None
        session.close()
        told = answer.get("holder")
        raise LockedError(
            f"{self._target.name} is held by {Holder.read(told if isinstance(told, dict) else {})}.",
            usually="somebody else, or a timer, is changing this host now.",
            next_step="wait until it is done, then run the same command again; a run that was killed or cut off "
            f"leaves the lock within {SILENCE_S} s.",
        )


@contextlib.contextmanager
def held(target: Target, purpose: str, *, say: Callable[[str], None] = lambda _: None) -> Iterator[Held]:
    """Have the host to ourselves; inside another `held` of this process for the same host it costs nothing.

    Raises LockedError with the holder's name, and what `Session` raises. `say` hears of a run that had the lock before
    and ended without a word.
    """
    key = (target.name, target.known_hosts)
    if key in _mine:
        yield _mine[key]
        return
    lock = Held(target, purpose)
    _mine[key] = lock
    try:
        if lock.stale:
            say(f"{target.name}: took over from {lock.stale}, which was killed or cut off")
        yield lock
    finally:
        del _mine[key]
        lock.leave()


def _asked(session: Session, name: Mapping[str, object]) -> tuple[Dialogue, dict[str, Any]]:
    """Start the script; the conversation with it, and its answer."""
    request = json.dumps({"folder": FOLDER, "silence_s": SILENCE_S, "holder": name})
    script = f"{SCRIPT.read_text()}\n\nmain(json.loads({request!r}))\n".encode()
    # Read to its length, not to the end of stdin: the heartbeats follow.
    command = f"sudo -n /usr/bin/python3 -IS -c 'import sys; exec(sys.stdin.buffer.read({len(script)}))'"
    dialogue, said = session.start(command, stdin=script.decode()), ""
    try:
        answer = parsed(dialogue.hear())
        if isinstance(answer, dict):
            return dialogue, answer
        said = "its answer is not what the script says"
    except TimeoutError as error:
        raise UnreachableError(
            f"{session.target.name} did not say whether it is free: time ran out.",
            usually="it is out of memory, or its disk hangs.",
            next_step="look at the machine; then run the same command again.",
        ) from error
    except (EOFError, OSError, ValueError):
        lines = dialogue.last_words().strip().splitlines()
        said = printable(lines[-1]) if lines else "it said nothing"
    raise SparkfleetError(
        f"{session.target.name} could not be locked: {said}",
        usually="the automation user lost its sudo rule, or Python 3 is missing.",
        next_step=f"run `spark adopt {session.target.name}`; it repairs both.",
    )
