"""What is described and what became of it → the rows of `spark-node label status`: next, last, how that ended."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloads.label.recurring import record
from workloads.label.recurring.record import Record, State

if TYPE_CHECKING:
    from rich.table import Table

    from workloads.label.recurring.described import Recurring
    from workloads.label.workspace import Workspace

SYSTEMD_S = 5.0
MARKS = {State.DONE: "[green]✓[/green]", State.FAILED: "[red]✗[/red]", State.LEFT_OUT: "[yellow]-[/yellow]"}


@dataclass(frozen=True)
class Row:
    """One recurring run. `next_at`: None where its timer is not active, or systemd does not tell."""

    name: str
    next_at: dt.datetime | None
    last: Record | None

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        last = self.last.model_dump(mode="json") if self.last else None
        return {"name": self.name, "next_at": self.next_at.isoformat() if self.next_at else None, "last": last}


def rows(wanted: Recurring, project: str, work: Workspace) -> list[Row]:
    """Those of the project on this machine."""
    return [Row(run.name, next_at(run.name), record.read(work, run.kind)) for run in wanted.of(project)]


def next_at(name: str) -> dt.datetime | None:
    """When its timer wakes it next, some minutes by chance not counted."""
    # systemd 252 writes the property NextElapseUSecRealtime for people, whatever it is asked; this one it does not.
    words = ["systemctl", "show", "--timestamp=unix", "--property=TimersCalendar", f"sparkfleet-label@{name}.timer"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=SYSTEMD_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return elapses(said)


def elapses(said: str) -> dt.datetime | None:
    """The next moment in systemd's words of a timer's calendars; None when there is none."""
    found = [int(seconds) for seconds in re.findall(r"next_elapse=@(\d{1,11})\b", said)]
    return dt.datetime.fromtimestamp(min(found), dt.UTC) if found else None


def table(rows: list[Row]) -> Table:
    """For people, in the machine's own time."""
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title="recurring runs", title_justify="left")
    for column in ("run", "next", "last", "", "what became of it"):
        shown.add_column(column)
    for row in rows:
        last = row.last
        mark = MARKS.get(last.state, "…" if last.under_way else "") if last else ""
        ended = _moment((last.ended_at or last.began_at or last.moment) if last else None)
        shown.add_row(row.name, _moment(row.next_at, "no timer"), ended, mark, escape(_told(last)))
    return shown


def _told(last: Record | None) -> str:
    if last is None:
        return State.NOT_YET.value
    gave = f"gave way {last.gave_way} times" if last.gave_way > 1 else "gave way once" if last.gave_way else ""
    state = "" if last.state is State.WAITING and last.told else last.state.value
    return ", ".join(word for word in (state, gave, last.told) if word)


def _moment(at: dt.datetime | None, without: str = "-") -> str:
    return f"{at.astimezone():%a %Y-%m-%d %H:%M}" if at else without
