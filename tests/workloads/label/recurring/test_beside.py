"""Runs of different projects on one machine: recurring ones and people's, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from tests.workloads.label.flow.projects import CHECKOUT
from tests.workloads.label.recurring.loops import Loops
from workloads.errors import LockedError
from workloads.label import beside
from workloads.label.progress import WAITS
from workloads.label.recurring.described import Kind
from workloads.label.recurring.record import State

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def loops(tmp_path: Path) -> Loops:
    """Two projects."""
    return Loops(tmp_path).write("one", "two")


def started(loops: Loops, project: str, *words: str) -> subprocess.Popen[str]:
    """What somebody types, or a container does, up to the first stage."""
    where = ["--site", str(loops.site_file), "--project", str(loops.folder / project), "--to", "fetch"]
    command = [sys.executable, "-m", "workloads", "label", "run", *where, *words]
    return subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)


def test_a_recurring_run_has_ended_before_another_project_begins(loops: Loops) -> None:
    """No stage of the one is left when the other's begins; it is told why it waits; the training goes on later."""
    hold = loops.folder / "one/hold-finetune"
    hold.touch()
    (loops.folder / "two/hold-fetch").touch()
    thread = loops.taking("one-learn")
    until(lambda: "one finetune begins" in loops.log(), "the training")
    person = started(loops, "two")
    until(lambda: "two fetch begins" in loops.log(), "the person's run")
    assert not loops.work("one").busy()  # whose lock every process of the training has
    until(lambda: loops.told("one", Kind.LEARN).told == "waits for a run of two", "giving way")
    hold.unlink()
    (loops.folder / "two/hold-fetch").unlink()
    said = person.communicate(timeout=30)[1]
    thread.join(60)

    assert (person.returncode, WAITS in said) == (0, True)
    assert (loops.told("one", Kind.LEARN).state, loops.told("one", Kind.LEARN).gave_way) == (State.DONE, 1)
    assert loops.log().index("two fetch ends") < loops.log().index("one finetune ends")


def test_people_share_a_machine_and_a_timers_run_does_not(loops: Loops) -> None:
    """Two people are at two projects at once; a third project's run that wants to be alone is refused meanwhile."""
    for project in ("one", "two"):
        (loops.folder / project / "hold-fetch").touch()
    people = [started(loops, project) for project in ("one", "two")]
    until(lambda: {"one fetch begins", "two fetch begins"} <= set(loops.log()), "both")
    with pytest.raises(LockedError), beside.held(loops.folder / "work", alone=True, waits=pytest.fail):
        pass
    for project in ("one", "two"):
        (loops.folder / project / "hold-fetch").unlink()

    assert [person.wait(30) for person in people] == [0, 0]
    assert started(loops, "one", "--alone").wait(30) == 0


def test_nobody_waits_for_ever_for_a_run_that_hangs(tmp_path: Path) -> None:
    """The wait has an end, with the exit code of a run that is refused."""
    told: list[str] = []
    with (
        beside.held(tmp_path, alone=True, waits=pytest.fail),
        pytest.raises(LockedError, match="does not give way"),
        beside.held(tmp_path, alone=False, waits=lambda: told.append("waits"), within_s=0.3),
    ):
        pass

    assert told == ["waits"]
