"""A session to a host → the same with a guard: a change of the way in that nobody confirms is undone by the host.

The controller's side of `guard_script`, which runs on the host. Leaving `armed` without a confirmation asks for the old
state at once; a controller that is gone cannot ask, and the host does it by itself when the window is over or it boots.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import LockdownError, SparkfleetError
from sparkfleet.host.observe import COMMAND
from sparkfleet.text import parsed, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparkfleet.host.connection import Session

HERE = Path(__file__).parent
PARTS = re.compile(r"^from sparkfleet\.host\.(guard_\w+) import .*\n", re.MULTILINE)
# Each of the script's own commands on the host has 20 s; an answer that takes longer than this finds nobody waiting.
ANSWER_S = 45.0
BEATS = 3  # how often in a window the controller says that it is still there


@dataclass
class Armed:
    """A host that undoes what is done to its way in, unless `confirm` is called within `window_s`."""

    session: Session
    id: str
    by: str
    window_s: int
    undone: str = field(default="", init=False)
    """What became of the change when it was not confirmed, as half a sentence; empty before."""

    _confirmed: bool = field(default=False, init=False)

    def extend(self) -> None:
        """The window begins anew; raises LockdownError when the host has undone the change already."""
        ask(self.session, {"do": "extend", "id": self.id})

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """While the body runs, the window ends only if the host no longer hears from this controller.

        Raises LockdownError at the end when the host did not hear from it in time and has undone the change.
        """
        over, faults = threading.Event(), list[SparkfleetError]()

        def beat() -> None:
            while not over.wait(self.window_s / BEATS):
                try:
                    self.extend()
                except SparkfleetError as error:
                    faults.append(error)
                    return

        thread = threading.Thread(target=beat, name="guard-beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if faults:
            raise faults[0]
        self.extend()  # whoever proves the change has the whole window for it

    def confirm(self) -> None:
        """Keep what is now; raises LockdownError when the host has put its old state back already."""
        ask(self.session, {"do": "confirm", "id": self.id})
        self._confirmed = True

    def undo(self, why: str) -> None:
        """Put the old state back now if the host can still be asked; never raises."""
        if self._confirmed:
            return
        try:
            answer = ask(self.session, {"do": "restore", "id": self.id, "why": printable(why)})
            # A confirmation may have arrived although its answer was lost.
            self.undone = "The old state is back." if answer.get("restored") else "The host has kept the change."
        except SparkfleetError:
            self.undone = f"The host puts its old state back by itself, at the latest {self.window_s} s from now."


@contextlib.contextmanager
def armed(session: Session, *, by: str, window_s: int, also: Iterable[str] = ()) -> Iterator[Armed]:
    """Arm the host's guard; the body changes the way in, proves it by a new connection and calls `confirm`.

    `by` is told to whoever comes meanwhile; `also` are paths to save beside those that `guard_script` knows. An error
    of ours that leaves the body says what became of the change. Raises LockdownError, with nothing touched, when the
    guard is armed already or cannot be.
    """
    made = Armed(session, secrets.token_hex(8), by, window_s)
    ask(
        session,
        {"do": "arm", "id": made.id, "by": by, "window_s": window_s, "also": sorted(also), "source": source()},
        unless="nothing was changed",
    )
    try:
        yield made
        made.undo("nobody confirmed")
    except SparkfleetError as error:
        made.undo(error.what)
        error.what = f"{error.what} {made.undone}".rstrip()
        raise
    except BaseException as error:
        made.undo(f"interrupted ({type(error).__name__})")
        raise


def state(session: Session) -> dict[str, Any]:
    """{"armed": who has armed the guard, or None; "last": what was restored last, or None}."""
    return ask(session, {"do": "state"})


def ask(session: Session, request: dict[str, Any], *, unless: str = "") -> dict[str, Any]:
    """One request, one answer; raises LockdownError with the host's words, or UnreachableError."""
    script = f"{source()}\nmain(json.loads({json.dumps(request)!r}))\n"
    result = session.run(COMMAND, stdin=script, timeout_s=ANSWER_S)
    name = session.target.name
    try:
        answer = parsed(result.stdout)
        fault = answer.get("error") or "; ".join(answer.get("failed", []))
    except (ValueError, AttributeError, TypeError) as error:
        last = printable((result.stderr.strip().splitlines() or ["it said nothing"])[-1])
        raise LockdownError(
            f"{name}: the guard gave no answer: {last}.",
            usually="the automation user lost its sudo rule, or Python 3 is missing.",
            next_step=f"run `spark adopt {name}`; it repairs both.",
        ) from error
    if fault:
        raise LockdownError(
            f"{name}: {printable(str(fault))}{f'; {unless}' if unless else ''}.",
            usually="another run changes how this host is entered, or the disk is full.",
            next_step="wait until it is over, then run the same command again.",
        )
    return dict(answer)


@cache
def source() -> str:
    """The script in one piece: its parts stand where it imports them."""
    return PARTS.sub(lambda part: (HERE / f"{part[1]}.py").read_text(), (HERE / "guard_script.py").read_text())
