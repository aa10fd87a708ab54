"""The runs of the loop on one machine → people's side by side, a recurring one alone: one lock, which the kernel keeps.

Each stage measures what memory is free when it begins, and promises it to its workers. Two that begin on their own
account, from a terminal, in a container or by a timer, would promise the same memory twice.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = ".machine"  # in the workspace, which containers see, too; no project is called so
GIVES_WAY_S = 120.0  # a recurring run looks every five seconds, and has half a minute to end
LOOK_EVERY_S = 0.2


@contextmanager
def held(workspace: Path, *, alone: bool, waits: Callable[[], None], within_s: float = GIVES_WAY_S) -> Iterator[int]:
    """Hold the machine by the descriptor that is handed out, as `Workspace.locked` does a project.

    `alone`: raises LockedError at once while anybody holds it. Else it is shared with others who share it, and a
    recurring run is waited for, which ends when it sees a project held: `waits` is told so, once; LockedError is
    raised after `within_s`.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / FILE).open("a") as lock:
        if not _locked(lock.fileno(), fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
            if alone:
                raise LockedError("another run is at it on this machine", next_step="wait for it.")
            waits()
            _shared(lock.fileno(), time.monotonic() + within_s)
        yield lock.fileno()


def _shared(fd: int, due: float) -> None:
    while not _locked(fd, fcntl.LOCK_SH):
        if time.monotonic() >= due:
            raise LockedError(
                "a recurring run does not give way",
                next_step="see which one it is, `spark node --list HOST`, and end it: `spark node --stop`.",
            )
        time.sleep(LOOK_EVERY_S)


def _locked(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
