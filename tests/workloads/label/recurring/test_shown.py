"""What `spark-node label status` says of recurring runs."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests.workloads.label.flow.projects import CHECKOUT
from tests.workloads.label.recurring.loops import Loops
from workloads.label.recurring import shown
from workloads.label.recurring.record import Record, State

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = dt.datetime(2026, 11, 22, 1, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("TimersCalendar={ OnCalendar=Sun *-*-* 03:00:00 ; next_elapse=@1795921200 }\n", 1795921200),
        ("TimersCalendar={ OnCalendar=*-*-* 01:30:00 ; next_elapse=n/a }\n", None),
        ("", None),
    ],
)
def test_the_next_time_is_what_systemd_says(said: str, at: int | None) -> None:
    """In the words of systemd 252; a timer that is stopped, or not there, wakes nobody."""
    assert shown.elapses(said) == (dt.datetime.fromtimestamp(at, dt.UTC) if at else None)


def test_the_status_tells_next_last_and_result(tmp_path: Path) -> None:
    """As plain data for programs; a machine without timers says so."""
    loops = Loops(tmp_path).write("one", "two")
    loops.take("one-prepare")
    words = ["label", "status", "--json", "--project", str(tmp_path / "one"), "--site", str(loops.site_file)]
    said = subprocess.run(
        [sys.executable, "-m", "workloads", *words], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout
    rows = {row["name"]: row for row in json.loads(said)["recurring"]}

    assert {name: (row["next_at"], row["last"]["state"]) for name, row in rows.items()} == {
        "one-prepare": (None, "done"),
        "one-learn": (None, "not yet"),
    }


def test_people_see_why_one_failed_and_whom_one_waits_for() -> None:
    """In one table, in the machine's own time."""
    last = Record(project="one", kind="learn", since=NIGHT, overdue_s=1, moment=NIGHT)
    failed = {"state": State.FAILED, "gave_way": 2, "told": "promote: the store is silent", "ended_at": NIGHT}
    rows = [
        shown.Row("one-learn", NIGHT, last.model_copy(update=failed)),
        shown.Row("one-prepare", None, last.model_copy(update={"state": State.WAITING, "told": "waits for [x].scope"})),
        shown.Row("two-learn", None, None),
    ]
    console = Console(width=140)
    with console.capture() as text:
        console.print(shown.table(rows))

    for words in ("failed, gave way 2 times, promote: the store is silent", "│ waits for [x].scope", "no timer",
                  f"{NIGHT.astimezone():%a %Y-%m-%d %H:%M}", "not yet"):  # fmt: skip
        assert words in text.get()
