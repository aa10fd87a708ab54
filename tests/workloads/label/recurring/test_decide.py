"""When a recurring run is due, and what it does about people; pure."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sparkfleet.fitness import recurring as description
from workloads.label.recurring import decide
from workloads.label.recurring.decide import Do, Waiting
from workloads.label.recurring.described import Described, Kind, Recurring
from workloads.label.recurring.record import Record, State

BEGIN = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
WEEKS_S = 21 * 86400
WANTED = Recurring(spread_s=900, patience_s=600, quiet_s=60)
moments = st.builds(
    lambda days, hour, minute: f"{','.join(days)} {hour:02}:{minute:02}".lstrip(),
    st.lists(st.sampled_from(description.WEEK), unique=True), st.integers(0, 23), st.integers(0, 59),
)  # fmt: skip
times = st.integers(0, WEEKS_S).map(lambda s: BEGIN + dt.timedelta(seconds=s))


def described(moment: str) -> Described:
    """A run at that time, as the controller renders it."""
    when = description.when(moment)
    return Described(
        project="mine", folder=Path("/srv/mine"), kind=Kind.PREPARE,
        days=list(when.days), hour=when.hour, minute=when.minute, longest_s=when.longest_s,
    )  # fmt: skip


@settings(max_examples=25)
@given(moments, times)
def test_the_last_moment_is_one_of_systemds(moment: str, now: dt.datetime) -> None:
    """What the timer is told and what the run reckons with are the same times; none is between the last one and now."""
    last = described(moment).last(now)
    base = (last - dt.timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S UTC")
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=2", f"--base-time={base}", description.when(moment).calendar],
        capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    first, second = [
        dt.datetime.strptime(line.partition(" ")[2], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=dt.UTC)
        for line in (row.partition(": ")[2].strip() for row in said.splitlines() if "UTC" in row)
        if line[:3] in description.WEEK
    ][:2]

    assert first == last <= now < second
    assert (second - first).total_seconds() <= description.when(moment).longest_s


@given(moments, st.lists(times, min_size=1, max_size=30).map(sorted))
def test_each_moment_is_done_once_however_often_it_is_asked(moment: str, asked: list[dt.datetime]) -> None:
    """Boots, timers and timers that make up: of the moments between two looks the last one is done, and once."""
    run, done = described(moment), []
    record = Record(project="mine", kind="prepare", since=BEGIN, overdue_s=1)
    for now in asked:
        if for_moment := decide.due(now, run, record, 900):
            done.append(for_moment)
            record = record.model_copy(update={"moment": for_moment, "state": State.DONE})

    assert done == sorted({run.last(now) for now in asked if run.last(now) > BEGIN})


def test_a_clock_that_was_wrong_keeps_nothing_from_running() -> None:
    """What was noted in a future that never came does not count."""
    run, future = described("01:30"), BEGIN + dt.timedelta(days=900)
    record = Record(project="mine", kind="prepare", since=future, overdue_s=1, moment=future, state=State.DONE)

    assert decide.due(BEGIN, run, record, 900) == run.last(BEGIN)


def test_a_run_that_was_cut_short_is_due_again() -> None:
    """A reboot in the middle of it: the first look after it finds it under way, and nobody at it."""
    run, now = described("01:30"), BEGIN + dt.timedelta(hours=9)
    cut = Record(project="mine", kind="prepare", since=BEGIN, overdue_s=1, state=State.RUNNING, moment=run.last(now))

    assert decide.due(now, run, cut, 0) == run.last(now)
    assert decide.due(now, run, cut.model_copy(update={"state": State.FAILED}), 0) is None


def test_what_was_described_just_now_is_not_made_up_for() -> None:
    """Without a record: only when the timer's own call may be the first of all."""
    run = described("01:30")

    assert decide.due(BEGIN + dt.timedelta(hours=1, minutes=44), run, None, 900) == run.last(
        BEGIN + dt.timedelta(hours=2)
    )
    assert decide.due(BEGIN + dt.timedelta(hours=9), run, None, 900) is None


@given(st.lists(st.booleans(), max_size=60), st.sampled_from([0.0, 60.0]))
def test_it_never_runs_beside_people(seen: list[bool], quiet_s: float) -> None:
    """Every ten seconds somebody is there or not: it begins only a quiet while later, and gives way at once."""
    wanted = WANTED.model_copy(update={"quiet_s": quiet_s})
    waiting, running, last, waits_since = Waiting(0), False, -1e9, 0.0
    for number, people in enumerate(seen):
        now = number * 10.0
        last = now if people else last
        do, waiting = decide.step(now, waiting, people, running, wanted)
        assert do in ({Do.GIVE_WAY, Do.GO_ON} if running else {Do.BEGIN, Do.WAIT, Do.LEAVE_OUT})
        if running:
            assert (do is Do.GIVE_WAY) == people
        else:
            assert (do is Do.BEGIN) == (not people and now - last >= wanted.quiet_s)
            assert do is not Do.WAIT or now - waits_since < WANTED.patience_s
        if do is Do.LEAVE_OUT:
            return
        waits_since = now if do is Do.GIVE_WAY else waits_since
        running = do in {Do.BEGIN, Do.GO_ON}
