"""What is seen of a machine → what a recurring run does next: wait, begin, give way or leave it out. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workloads.label.recurring.described import Described, Recurring
    from workloads.label.recurring.record import Record

NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
LATE_S = 120.0  # beside the spread: how late a timer's very first call may come


class Do(StrEnum):
    """The next step."""

    WAIT = "wait"
    BEGIN = "begin"
    GO_ON = "go on"
    GIVE_WAY = "give way"
    LEAVE_OUT = "leave out"


@dataclass(frozen=True)
class Waiting:
    """Since when it waits for people, and when they were seen last; seconds of one clock. None: not yet."""

    since: float
    seen: float | None = None


def step(now: float, waiting: Waiting, people: bool, running: bool, wanted: Recurring) -> tuple[Do, Waiting]:
    """What to do at `now`. It begins at once where nobody was seen, else `quiet_s` after they were seen last.

    A run that gave way waits anew, `patience_s` at most; one that is not running and not begun by then is left out.
    """
    if people:
        waiting = replace(waiting, seen=now)
    if running:
        return (Do.GIVE_WAY, Waiting(now, now)) if people else (Do.GO_ON, waiting)
    if not people and (waiting.seen is None or now - waiting.seen >= wanted.quiet_s):
        return Do.BEGIN, waiting
    return (Do.LEAVE_OUT if now - waiting.since >= wanted.patience_s else Do.WAIT), waiting


def due(now: dt.datetime, run: Described, record: Record | None, spread_s: float) -> dt.datetime | None:
    """The moment for which the run is to be done now; None when it was done, tried or left out.

    Timers wake it more often than it is due: after a boot, too. What was missed many times is due once. A run that a
    reboot cut short is due again. One that was never seen is not made up for: it was described just now.
    """
    moment = run.last(now)
    if record is None:
        return moment if (now - moment).total_seconds() <= spread_s + LATE_S else None
    done = [at for at in (record.since, record.moment) if at and at <= now]  # a clock may have been wrong
    if moment > max(done, default=NEVER):
        return moment
    return record.moment if record.under_way else None
