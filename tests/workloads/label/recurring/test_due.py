"""A recurring run among people and other runs: its turn, its giving way, and what is noted of it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from tests.workloads.label.flow.projects import CHECKOUT
from tests.workloads.label.recurring.loops import Loops
from workloads.errors import ConfigError, GateError, LockedError, StoreError
from workloads.label import runs
from workloads.label.recurring.described import Kind
from workloads.label.recurring.record import State

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = ["fetch", "convert", "preannotate", "publish", "collect", "roi"]


@pytest.fixture
def loops(tmp_path: Path) -> Loops:
    """Two projects, four runs."""
    return Loops(tmp_path).write("one", "two")


def stages(log: list[str], project: str = "one") -> list[str]:
    """Those of the project that came to their end, in order."""
    rows = (line.split() for line in log)
    return [stage for name, stage, what in rows if name == project and what == "ends" and stage != "report"]


def test_missed_nights_are_made_up_for_once(loops: Loops) -> None:
    """Three of them: one run, without learning; whoever asks again finds nothing to do."""
    codes = [loops.take("one-prepare") for _ in range(3)]

    assert codes == [0, 0, 0]
    assert stages(loops.log()) == NIGHT
    assert (loops.told("one").state, loops.told("one").done_at) == (State.DONE, loops.told("one").ended_at)


def test_learning_is_the_rest_of_the_loop(loops: Loops) -> None:
    """From the reviews to what serves; a candidate that may not serve is a good end, too, and says so."""
    (loops.folder / "one/fail-promote").write_text(str(GateError.exit_code))
    code = loops.take("one-learn")

    assert (code, loops.told("one", Kind.LEARN).state) == (0, State.DONE)
    assert loops.told("one", Kind.LEARN).told == "promote: broken"
    assert stages(loops.log()) == ["collect", "finetune", "evaluate", "promote"]


def test_two_that_are_due_at_once_do_not_overlap(loops: Loops) -> None:
    """At the same moment, of one project and of two: each is done, one after the other, and none is refused."""
    threads = [loops.taking(name) for name in ("one-prepare", "one-learn", "two-learn")]
    for thread in threads:
        thread.join(60)
    under_way = 0
    for line in loops.log():
        under_way += 1 if line.endswith("begins") else -1
        assert under_way in {0, 1}, loops.log()

    done = [loops.told("one"), loops.told("one", Kind.LEARN), loops.told("two", Kind.LEARN)]
    assert {told.state for told in done} == {State.DONE}
    assert loops.log().count("one roi ends") == 2


def test_a_training_gives_way_and_goes_on_later(loops: Loops) -> None:
    """Somebody sits down at the GPU: the stage is ended; when they are gone, it begins again, in the same run."""
    hold = loops.folder / "one/hold-finetune"
    hold.touch()
    thread = loops.taking("one-learn")
    until(lambda: "one finetune begins" in loops.log(), "the training")
    loops.people = ("session-3.scope",)
    until(lambda: loops.told("one", Kind.LEARN).told == "waits for session-3.scope", "giving way")
    assert not loops.work("one").busy()
    stopped = runs.read(loops.work("one"))
    hold.unlink()
    loops.people = ()
    thread.join(60)
    told, after = loops.told("one", Kind.LEARN), runs.read(loops.work("one"))

    assert (told.state, told.gave_way) == (State.DONE, 1)
    assert loops.log().count("one finetune begins") == 2
    assert stages(loops.log()).count("finetune") == 1
    assert ([run.id for run in after], after[0].tries) == ([run.id for run in stopped], 2)


def test_a_run_of_a_persons_is_waited_for_and_not_disturbed(loops: Loops) -> None:
    """Of another project, too; a person who comes in the middle of a recurring one is told who has the project."""
    (loops.folder / "two/hold-fetch").touch()
    words = [sys.executable, "-m", "workloads", "label", "run", "--site", str(loops.site_file), "--to", "fetch"]
    person = subprocess.Popen([*words, "--project", str(loops.folder / "two")], cwd=CHECKOUT)
    until(lambda: "two fetch begins" in loops.log(), "the person's run")
    thread = loops.taking("one-prepare")
    until(lambda: loops.told("one").told == "waits for a run of two", "waiting")
    (loops.folder / "one/hold-fetch").touch()
    (loops.folder / "two/hold-fetch").unlink()
    assert person.wait(30) == 0
    until(lambda: "one fetch begins" in loops.log(), "its turn")
    refused = subprocess.run(
        [*words, "--project", str(loops.folder / "one")], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    (loops.folder / "one/hold-fetch").unlink()
    thread.join(60)

    assert (refused.returncode, "another run is at it" in refused.stderr) == (LockedError.exit_code, True)
    assert loops.told("one").state is State.DONE


def test_who_waits_too_long_is_left_out(tmp_path: Path) -> None:
    """People use the GPU all night: nothing is run, it is told for whom it waited, and the next night comes."""
    loops = Loops(tmp_path, ("sparkfleet-jupyter.service",), {"quiet_s": 0, "patience_s": 0.1, "spread_s": 0})
    code = loops.write("one").take("one-prepare")

    assert (code, loops.log()) == (0, [])
    assert loops.told("one").state is State.LEFT_OUT
    assert loops.told("one").told == "waits for sparkfleet-jupyter.service"


def test_a_failure_is_noted_with_its_reason(loops: Loops) -> None:
    """The exit code is the run's; a project whose file is broken is a failure as well."""
    (loops.folder / "one/fail-publish").write_text(str(StoreError.exit_code))
    (loops.folder / "two/project.toml").write_text("name =")
    codes = [loops.take("one-prepare"), loops.take("two-prepare")]

    assert codes == [StoreError.exit_code, ConfigError.exit_code]
    assert (loops.told("one").state, loops.told("one").told) == (State.FAILED, "publish: broken")
    assert (loops.told("two").state, loops.told("two").done_at) == (State.FAILED, None)
    assert "project.toml" in loops.told("two").told
