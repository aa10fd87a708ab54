"""A model → whose turn it is to promote it: one object in the bucket, replaced only where it is the one that was read.

It is lock, journal and history in one. A promoter that is alive says so again and again; one that died holds the turn
until what it said runs out, or at once when its process is seen to be gone. Hosts' clocks must agree to some seconds.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import socket
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from workloads.errors import DamagedError, LockedError, NodeError, printable
from workloads.label.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.label.promoting.repository import Repository

HELD_FOR = dt.timedelta(minutes=2)  # after a sign of life
SIGNS = 6  # of life within that
KEPT = 200  # ended turns


class Step(StrEnum):
    """How far a promotion is; noted before it is done. From SWITCHED on, config.pbtxt may name its version."""

    BEGAN = "began"
    UPLOADED = "uploaded"
    SWITCHED = "switched"
    BACK = "rolling back"
    SERVING = "serving"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"


ENDED = {Step.SERVING, Step.ROLLED_BACK, Step.REFUSED}
OPEN = {Step.SWITCHED, Step.BACK}  # a turn that died here is to be ended by the next one


class Turn(Record):
    """One promotion, as the bucket keeps it."""

    id: str
    host: str
    place: str  # boot and process namespace: within it a process's number means something
    pid: int
    started: str  # when that process did, in clock ticks
    run: str
    step: Step
    version: int | None = None
    before: int | None = None
    detail: str = ""
    began_at: dt.datetime
    alive_at: dt.datetime
    free_at: dt.datetime  # unless it says again that it is alive


class Book(Record):
    """The whole object, the last turn first."""

    turns: list[Turn] = Field(default_factory=list)


def free(turn: Turn | None, now: dt.datetime, *, gone: bool) -> bool:
    """Whether another promoter may begin. Pure."""
    return turn is None or turn.step in ENDED or gone or now >= turn.free_at


def history(repository: Repository) -> list[Turn]:
    """All turns that are kept, the last one first; raises DamagedError, StoreError."""
    return _read(repository)[0].turns


def interrupted(repository: Repository) -> bool:
    """Whether the last turn died after it had switched; one that is alive is told by `taken`."""
    last = next(iter(history(repository)), None)
    return last is not None and last.step in OPEN


class Held:
    """The turn that this process has; raises LockedError as soon as it is found to be another's."""

    def __init__(self, repository: Repository, turn: Turn, held_for: dt.timedelta) -> None:
        self._repository, self._held_for, self._lock = repository, held_for, threading.Lock()
        self.turn = turn

    def note(self, step: Step | None = None, **told: str | int | None) -> None:
        """Write down how far it is, before doing it."""
        with self._lock:
            self._replace(dt.datetime.now(dt.UTC) + self._held_for, step=step or self.turn.step, **told)

    def leave(self) -> None:
        """Let the next one begin, also when this one did not end: it goes on from what was noted."""
        with self._lock:
            if self.turn.step not in ENDED:
                self._replace(dt.datetime.now(dt.UTC))

    def _replace(self, free_at: dt.datetime, **told: Any) -> None:
        turn = self.turn.model_copy(update={"alive_at": dt.datetime.now(dt.UTC), "free_at": free_at, **told})
        book, tag = _read(self._repository)
        now = book.turns[0] if book.turns else None
        if now is None or now.id != turn.id or not _write(self._repository, book.turns[1:], turn, tag):
            raise LockedError(
                f"{self._repository.model}: this promotion lost its turn to {_who(now)}",
                usually="this process was held up for longer than its turn lasts",
            )
        self.turn = turn

    def keep(self, until: threading.Event) -> None:
        """Say that it is alive, again and again; what fails here fails again, and is told, at the next step."""
        while not until.wait(self._held_for.total_seconds() / SIGNS):
            with contextlib.suppress(NodeError):
                self.note()


@contextlib.contextmanager
def taken(repository: Repository, run: str, held_for: dt.timedelta = HELD_FOR) -> Iterator[Held]:
    """Have the turn; raises LockedError that says who has it since when.

    Where the one before died after it had switched, its run, version and step are taken over: it is to be ended first.
    """
    book, tag = _read(repository)
    last = book.turns[0] if book.turns else None
    now = dt.datetime.now(dt.UTC)
    if not free(last, now, gone=last is not None and _gone(last)):
        raise _locked(repository, last)
    turn = Turn(
        id=secrets.token_hex(8), host=socket.gethostname(), place=_place(), pid=os.getpid(),
        started=_start_time(os.getpid()), run=run, step=Step.BEGAN, began_at=now, alive_at=now, free_at=now + held_for,
    )  # fmt: skip
    if last and last.step in OPEN:
        inherited = {"run": last.run, "step": last.step, "version": last.version, "before": last.before}
        turn = turn.model_copy(update=inherited)
    if not _write(repository, book.turns, turn, tag):
        raise _locked(repository, next(iter(_read(repository)[0].turns), None))
    held, over = Held(repository, turn, held_for), threading.Event()
    signs = threading.Thread(target=held.keep, args=(over,), daemon=True)
    signs.start()
    try:
        yield held
    finally:
        over.set()
        signs.join()
        with contextlib.suppress(NodeError):
            held.leave()


def _read(repository: Repository) -> tuple[Book, str | None]:
    found = repository.store.tagged(repository.turn_key)
    if found is None:
        return Book(), None
    try:
        return Book.model_validate_json(found[0]), found[1]
    except ValidationError:
        raise DamagedError(
            f"{printable(repository.turn_key)} cannot be read", next_step="put back the version before, or remove it."
        ) from None


def _write(repository: Repository, before: list[Turn], turn: Turn, tag: str | None) -> bool:
    book = Book(turns=[turn, *before][:KEPT])
    return repository.store.swap(repository.turn_key, book.model_dump_json(indent=1).encode(), tag)


def _locked(repository: Repository, turn: Turn | None) -> LockedError:
    return LockedError(
        f"{repository.model} is being promoted by {_who(turn)}",
        next_step=f"wait for it; if it died, its turn is over at {turn.free_at:%H:%M:%S} UTC." if turn else "",
    )


def _who(turn: Turn | None) -> str:
    if turn is None:
        return "somebody else"
    who = f"process {turn.pid} on {turn.host} since {turn.began_at:%Y-%m-%d %H:%M:%S} UTC"
    return printable(f"{who} (run {turn.run}, {turn.step})")


def _gone(turn: Turn) -> bool:
    """Whether its process is seen to be gone; False where that cannot be seen."""
    return turn.place == _place() and _start_time(turn.pid) != turn.started


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux: nothing is seen
        return f"{socket.gethostname()} {secrets.token_hex(8)}"


def _start_time(pid: int) -> str:
    """When a process started; empty when there is none, or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
