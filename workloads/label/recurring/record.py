"""What became of a recurring run → recurring/<kind>.json in its project's folder, for people and for the exporter."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import ValidationError

from workloads.label import records

if TYPE_CHECKING:
    from workloads.label.recurring.described import Kind
    from workloads.label.workspace import Workspace

FOLDER = "recurring"
FORMAT = 1


class State(StrEnum):
    """How the last one stands."""

    NOT_YET = "not yet"  # described, and never due
    WAITING = "waiting"  # or the machine went down meanwhile
    RUNNING = "running"  # or the machine went down meanwhile
    DONE = "done"
    FAILED = "failed"
    LEFT_OUT = "left out"  # people used the machine all the time


class Record(records.Record):
    """The last one, and when one came to its end for the last time."""

    format: int = FORMAT
    project: str
    kind: str
    since: dt.datetime  # when it was first seen here
    overdue_s: float  # after its last good end, or `since`, this long: something is wrong
    state: State = State.NOT_YET
    moment: dt.datetime | None = None  # for which it is
    began_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    done_at: dt.datetime | None = None  # when one came to a good end for the last time
    gave_way: records.Count = 0  # how often, this time
    told: str = ""  # for whom it waits, or why it failed

    @property
    def under_way(self) -> bool:
        """Whether it has yet to end; nobody may be at it any more."""
        return self.state in {State.WAITING, State.RUNNING}


def read(work: Workspace, kind: Kind) -> Record | None:
    """The last one; None when there was none, or when what is there cannot be read: it is written anew."""
    try:
        return Record.model_validate_json(work.path(FOLDER, f"{kind}.json").read_bytes())
    except (OSError, ValidationError):
        return None


def write(work: Workspace, record: Record) -> None:
    """Readers see the old one or the new one."""
    work.put(f"{FOLDER}/{record.kind}.json", record.model_dump_json(indent=1).encode())
