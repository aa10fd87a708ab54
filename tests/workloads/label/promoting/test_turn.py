"""One promotion at a time, on a real store: who has the turn, who gets it next, and what a dead one leaves."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import until
from workloads.errors import LockedError
from workloads.label.promoting import turn
from workloads.label.promoting.turn import Step

if TYPE_CHECKING:
    from tests.workloads.label.promoting.conftest import ModelStore

MODEL = "contracts"
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
HOLDER = """
import sys, time
from pathlib import Path
from workloads.label.promoting import turn
from workloads.label.promoting.repository import Repository
from workloads.label.site import Models
with turn.taken(Repository(Models.model_validate_json(sys.argv[1]), "contracts"), "r1") as held:
    held.note(turn.Step(sys.argv[2]), version=3, before=2)
    print("held", flush=True)
    time.sleep(600)
"""


def holder(store: ModelStore, step: Step) -> subprocess.Popen[bytes]:
    """Another process that has the turn, and is at this step."""
    words = [sys.executable, "-c", HOLDER, store.models.model_dump_json(), step]
    checkout = Path(__file__).resolve().parents[4]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(checkout)})
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """As kill -9 does."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_of_two_at_once_one_is_refused_and_told_who_has_it_since_when(store: ModelStore) -> None:
    """The other one goes on, undisturbed; when it is killed, the turn is free at once."""
    process = holder(store, Step.UPLOADED)
    try:
        with (
            pytest.raises(LockedError, match=rf"process {process.pid} on .* since 20.* UTC \(run r1, uploaded\)"),
            turn.taken(store.repository(MODEL), "r2"),
        ):
            pass
    finally:
        end(process)

    with turn.taken(store.repository(MODEL), "r2") as held:
        assert (held.turn.run, held.turn.step) == ("r2", Step.BEGAN)


@pytest.mark.parametrize("step", [Step.SWITCHED, Step.BACK])
def test_what_died_after_its_switch_is_taken_over(store: ModelStore, step: Step) -> None:
    """Run, version and the version before: the next one must end it, however often one more dies."""
    end(holder(store, step))
    repository = store.repository(MODEL)
    assert turn.interrupted(repository)

    for _ in range(2):
        with turn.taken(repository, "r2") as held:
            taken = held.turn
        assert (taken.run, taken.step, taken.version, taken.before) == ("r1", step, 3, 2)
    with turn.taken(repository, "r2") as held:
        held.note(Step.ROLLED_BACK)
    assert not turn.interrupted(repository)
    with turn.taken(repository, "r2") as held:
        assert (held.turn.run, held.turn.step) == ("r2", Step.BEGAN)


def test_of_many_at_the_same_moment_exactly_one_begins(store: ModelStore) -> None:
    """The store lets one of them write."""
    ready, over = threading.Barrier(8), threading.Event()

    def attempt(number: int) -> bool:
        repository = store.repository(MODEL)
        ready.wait()
        try:
            with turn.taken(repository, f"r{number}"):
                over.wait(20)
        except LockedError:
            return False
        else:
            return True

    with ThreadPoolExecutor(8) as pool:
        started = [pool.submit(attempt, number) for number in range(8)]
        until(lambda: sum(each.done() for each in started) >= 7, "seven that were refused")
        over.set()
        assert sum(each.result() for each in started) == 1


def test_a_turn_lasts_as_long_as_its_process_says_so(store: ModelStore) -> None:
    """One on another host, whose process nobody sees here, is waited for, also beyond what it said at first."""
    repository = store.repository(MODEL)
    with turn.taken(repository, "r1", dt.timedelta(seconds=1)) as held:
        held.note(Step.UPLOADED, place="another machine")
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            with pytest.raises(LockedError), turn.taken(repository, "r2"):
                pass
            time.sleep(0.2)


def test_who_was_held_up_for_too_long_learns_that_its_turn_is_over(store: ModelStore) -> None:
    """Stopped, as a laptop's lid does it, on a host that the next one cannot see into; then it goes on, and may not."""
    process = holder(store, Step.UPLOADED)
    repository = store.repository(MODEL)
    mine = turn.Held(repository, turn.history(repository)[0], dt.timedelta(milliseconds=1))
    end(process)
    mine.note(Step.UPLOADED, place="another machine")  # it says so one last time, for a millisecond
    until(lambda: dt.datetime.now(dt.UTC) >= mine.turn.free_at, "the end of its turn")

    with turn.taken(repository, "r2"), pytest.raises(LockedError, match=r"lost its turn to process .*run r2"):
        mine.note(Step.SWITCHED)
    assert [(each.run, each.step) for each in turn.history(repository)] == [("r2", "began"), ("r1", "uploaded")]


turns = st.builds(
    turn.Turn, id=st.just("i"), host=st.just("h"), place=st.just("p"), pid=st.just(1), started=st.just("1"),
    run=st.just("r"), step=st.sampled_from(Step), began_at=st.just(NOW), alive_at=st.just(NOW),
    free_at=st.integers(-100, 100).map(lambda seconds: NOW + dt.timedelta(seconds=seconds)),
)  # fmt: skip


@given(turns, st.booleans())
def test_a_turn_is_free_when_it_ended_died_or_ran_out(last: turn.Turn, gone: bool) -> None:
    """And only then."""
    ended = last.step in {Step.SERVING, Step.ROLLED_BACK, Step.REFUSED}

    assert turn.free(last, NOW, gone=gone) == (ended or gone or last.free_at <= NOW)
    assert turn.free(None, NOW, gone=gone)
