"""The name of a recurring run → the run, when it is due, when it is its turn and nobody else needs the machine.

One at a time on a machine: the others queue. It waits for people, who run a project or use the GPU; when somebody comes
in the middle, it ends and goes on later from where it stopped, as a killed run does: a training from its checkpoint.
Whoever runs another project meanwhile begins when it has ended: `beside`.
"""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workloads.errors import OK, ConfigError, GateError, LockedError, NodeError, printable
from workloads.label import flow, runs
from workloads.label.recurring import decide, gpu, record
from workloads.label.recurring.decide import Do, Waiting
from workloads.label.recurring.record import Record, State
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workloads.label.recurring.described import Described
    from workloads.label.site import Site

LOOK_S = 5.0  # between two looks: who sits down at the GPU has it this much later at most, and a little
END_S = 30.0  # for a run to end when it is asked to
RUN_S = 6 * 3600  # as long a run may take before it is called overdue, beside all that it waits
MISSED = 2  # so many times in a row
TURN = ".turn"  # below the workspace; no project is called so


def run(site: Site, name: str, site_file: Path | None, say: Callable[[str], None]) -> int:
    """Do it if it is due; the exit code of the run, 0 without one. Raises ConfigError when nothing is called `name`."""
    wanted = site.recurring.runs.get(name)
    if wanted is None:
        known = ", ".join(sorted(site.recurring.runs)) or "none is described"
        raise ConfigError(f"{printable(name)}: no such recurring run", next_step=f"they are: {known}.")
    return Turn(site, wanted, site_file, say).take()


@dataclass
class Turn:
    """One recurring run, from the timer's call to its end."""

    site: Site
    wanted: Described
    site_file: Path | None
    say: Callable[[str], None]
    look_s: float = LOOK_S
    people: Callable[[], tuple[str, ...]] | None = None  # who uses the GPU; None: as NVML and systemd say
    _told: Record = field(init=False)

    def take(self) -> int:
        """Look whether it is due, wait for the turn, look again: whoever was there before may have done it."""
        if not self._due():
            self.say(f"{self.wanted.name}: nothing is due")
            return OK
        with self._turn():
            moment = self._due()
            if not moment:
                return OK
            self._note(moment=moment, began_at=None, ended_at=None, gave_way=0, state=State.WAITING, told="")
            try:
                at = flow.place(self.wanted.folder, self.site_file)
                if at.params.name != self.wanted.project:
                    raise ConfigError(
                        f"{self.wanted.folder} is the project {at.params.name}, not {self.wanted.project}",
                        next_step="describe it by its name: sparkfleet:label, recurring.",
                    )
                return self._attend()
            except NodeError as error:
                self._note(state=State.FAILED, ended_at=_now(), told=printable(error.what))
                raise

    @property
    def work(self) -> Workspace:
        """Where it is noted: known even when project.toml cannot be read."""
        return Workspace(self.site.workspace / self.wanted.project)

    def _due(self) -> dt.datetime | None:
        """The moment for which it is; what was never seen is noted, so that it is missed when it does not come."""
        found, shared = record.read(self.work, self.wanted.kind), self.site.recurring
        late = MISSED * self.wanted.longest_s + shared.spread_s + shared.patience_s + RUN_S
        moment = decide.due(_now().astimezone(), self.wanted, found, shared.spread_s)
        self._told = found or Record(
            project=self.wanted.project, kind=self.wanted.kind, since=_now(), overdue_s=late
        )  # fmt: skip
        self._note(overdue_s=late)
        return moment

    def _attend(self) -> int:
        """Until it ended, or was left out."""
        waiting, child = Waiting(time.monotonic()), None
        try:
            while True:
                seen = self._seen(running=child is not None)
                do, waiting = decide.step(
                    time.monotonic(), waiting, bool(seen), child is not None, self.site.recurring
                )  # fmt: skip
                if do is Do.LEAVE_OUT:
                    self._note(state=State.LEFT_OUT, ended_at=_now())
                    return OK
                if do is Do.BEGIN:
                    child = self._begin()
                elif do is Do.GIVE_WAY and child:
                    if _stopped(child) in {OK, GateError.exit_code}:
                        return self._ended(child.returncode)
                    child = None
                    self._note(state=State.WAITING, gave_way=self._told.gave_way + 1)
                if child is None:
                    self._wait_for(seen)
                elif (code := _code(child, self.look_s)) == LockedError.exit_code:  # somebody was quicker
                    child, waiting = None, Waiting(waiting.since, time.monotonic())
                elif code is not None:
                    return self._ended(code)
        finally:
            if child:
                _stopped(child)

    def _seen(self, *, running: bool) -> tuple[str, ...]:
        """Who needs the machine: on its GPU; and who runs a project, also in a container, but for our own run."""
        projects = {lock.parent.name for lock in self.site.workspace.glob("[!.]*/lock")}
        others = sorted(projects - ({self.wanted.project} if running else set()))
        theirs = [f"a run of {name}" for name in others if Workspace(self.site.workspace / name).busy()]
        return (*theirs, *(self.people() if self.people else gpu.others(self.site.recurring.beside)))

    def _wait_for(self, seen: tuple[str, ...]) -> None:
        told = f"waits for {', '.join(seen)}" if seen else self._told.told
        if (State.WAITING, told) != (self._told.state, self._told.told):
            self._note(state=State.WAITING, told=told)
        time.sleep(self.look_s)

    def _begin(self) -> subprocess.Popen[bytes]:
        self._note(state=State.RUNNING, began_at=self._told.began_at or _now(), told="")
        where = ["--site", str(self.site_file)] if self.site_file else []
        words = ["label", "run", "--alone", "--project", str(self.wanted.folder), *where, *self.wanted.kind.words]
        return subprocess.Popen([sys.executable, "-m", "workloads", *words], env=flow.environment())

    def _ended(self, code: int) -> int:
        """Note how; a candidate that may not serve is an end as good as any."""
        good = code in {OK, GateError.exit_code}
        told = "" if code == OK else self._why(code)
        now = _now()
        self._note(
            state=State.DONE if good else State.FAILED, ended_at=now, told=told,
            done_at=now if good else self._told.done_at,
        )  # fmt: skip
        return OK if good else code

    def _why(self, code: int) -> str:
        last = next(iter(runs.read(self.work, most=1)), None)
        if last and last.failed and last.failed.error:
            return printable(f"{last.failed.stage}: {last.failed.error.what}")
        return f"it ended with status {code}"

    def _note(self, **changed: object) -> None:
        self._told = self._told.model_copy(update=changed)
        record.write(self.work, self._told)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One recurring run at a time on the machine; whoever comes meanwhile waits, however long it takes."""
        while True:
            try:
                with Workspace(self.site.workspace / TURN).locked(self.wanted.name):
                    yield
                    return
            except LockedError:
                time.sleep(self.look_s)


def _code(child: subprocess.Popen[bytes], patience_s: float) -> int | None:
    try:
        return child.wait(patience_s)
    except subprocess.TimeoutExpired:
        return None


def _stopped(child: subprocess.Popen[bytes]) -> int:
    """Ask it to end, and see to it; its exit code, which is good where it was just done."""
    child.send_signal(signal.SIGINT)
    if _code(child, END_S) is None:
        child.kill()
    return child.wait()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
