"""What a run did → run.json in its folder, written anew after each step: what a killed run leaves says how far it came.

A run that did not come to its end, killed or stopped by an error, is gone on with by the next one, under its name:
what its stages have made below that name counts. A gate's no is an end.
"""

from __future__ import annotations

import datetime as dt
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from workloads.errors import GateError
from workloads.label.records import Record

if TYPE_CHECKING:
    from workloads.label.workspace import Workspace

FOLDER, FILE, REPORT = "runs", "run.json", "report.html"


class State(StrEnum):
    """How far a step is."""

    RUNNING = "running"  # or it was killed
    DONE = "done"
    FAILED = "failed"


class Error(Record):
    """Why a step failed, in the three parts of workloads.errors."""

    what: str
    usually: str = ""
    next: str = ""


class Step(Record):
    """One stage in one run."""

    stage: str
    state: State
    began_at: dt.datetime
    seconds: float = 0.0
    told: dict[str, int | float | str | None] = Field(default_factory=dict)  # the stage's own report
    error: Error | None = None
    exit_code: int = 0


class Run(Record):
    """All steps of one run, in order; a stage that was tried again stands here once, as it went last."""

    id: str
    project: str
    began_at: dt.datetime
    ended_at: dt.datetime | None = None  # None: it did not come to its end
    tries: int = 1
    steps: list[Step] = Field(default_factory=list)

    def stepped(self, step: Step) -> Run:
        """The same with this step as the last word on its stage."""
        return self.model_copy(update={"steps": [*(s for s in self.steps if s.stage != step.stage), step]})

    def ended(self, at: dt.datetime) -> Run:
        """The same, at its end."""
        return self.model_copy(update={"ended_at": at})

    @property
    def failed(self) -> Step | None:
        """The step that an error stopped, if the last one was."""
        return self.steps[-1] if self.steps and self.steps[-1].state is State.FAILED else None


def over(step: Step) -> bool:
    """Whether nothing is left to go on with after this step failed: a candidate that may not serve stays one."""
    return step.exit_code == GateError.exit_code


def name(now: dt.datetime) -> str:
    """20261121T204500Z-1f3a: sorts by time."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def begin(work: Workspace, project: str, now: dt.datetime, *, afresh: bool) -> Run:
    """The last run if it did not come to its end, unless `afresh`; else a new one. Written when this returns."""
    last = next(iter(read(work, most=1)), None)
    if last and last.ended_at is None and not afresh:
        run = last.model_copy(update={"tries": last.tries + 1})
    else:
        run = Run(id=name(now), project=project, began_at=now)
    write(work, run)
    return run


def write(work: Workspace, run: Run) -> None:
    """Put it down."""
    work.put(f"{FOLDER}/{run.id}/{FILE}", run.model_dump_json(indent=1).encode())


def read(work: Workspace, most: int | None = None) -> list[Run]:
    """The runs there were, the newest first; one that cannot be read, of a newer version perhaps, is left out."""
    found = []
    for file in sorted(work.path(FOLDER).glob(f"*/{FILE}"), reverse=True)[:most]:
        try:
            found.append(Run.model_validate_json(file.read_bytes()))
        except (OSError, ValidationError):
            continue
    return found
