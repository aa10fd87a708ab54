"""Stages in their order, each in its own process; killed anywhere, a run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import until
from tests.workloads.label.flow.projects import CHECKOUT, Project, gone, reading
from workloads.errors import ConfigError, GateError, LockedError
from workloads.label import flow, runs
from workloads.label.records import Document
from workloads.label.runs import State

if TYPE_CHECKING:
    from pathlib import Path

BIG = 3 << 30  # bytes of nothing, which take seconds to read


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one document."""
    made = Project(tmp_path).write()
    (made.docs / "a.txt").write_text("first")
    return made


@given(st.sampled_from(flow.STAGES), st.sampled_from(flow.STAGES), st.booleans())
def test_any_stretch_of_stages_runs_each_once(first: str, last: str, learns_first: bool) -> None:
    """Whichever comes first, none is lost and none is twice; what makes a first model follows the documents' text."""
    if flow.STAGES.index(first) > flow.STAGES.index(last):
        with pytest.raises(ConfigError):
            flow.between(first, last)
        return
    chosen = flow.between(first, last)
    order = flow.ordered(chosen, learns_first=learns_first)

    assert sorted(order) == sorted(chosen)
    assert learns_first or order == chosen
    if learns_first and {"convert", "promote", "preannotate"} <= set(chosen):
        assert order.index("convert") < order.index("promote") < order.index("preannotate")


def test_a_stage_that_is_not_known_is_named(project: Project) -> None:
    """A slip of the pen is told with all names, before anything is touched."""
    done = project.node("run", "--to", "colect")

    assert done.returncode == ConfigError.exit_code
    assert "colect" in done.stderr
    assert "collect" in done.stderr
    assert not project.work.folder.exists()


def test_a_run_says_what_each_stage_did(project: Project) -> None:
    """`--json` has the run, its stages and their figures; run.json says the same; status has it, too."""
    done = project.node("run", "--to", "fetch", "--json")
    told = runs.Run.model_validate_json(done.stdout)
    status = json.loads(project.node("status", "--json").stdout)

    assert (done.returncode, [step.state for step in told.steps]) == (0, [State.DONE])
    assert told.steps[0].told["new"] == 1
    assert told == project.last()
    assert (status["documents"]["found"], status["busy"]) == (1, False)
    assert status["runs"][0]["id"] == told.id


def test_what_a_stage_fails_with_is_what_the_run_ends_with(project: Project) -> None:
    """The exit code, and the three parts of the message, come through; the next run goes on under the same name."""
    (project.folder / "project.toml").write_text('name = "mine"\nlabels = ["A"]\n[source]\nfolder = "nowhere"\n')
    failed = project.node("run", "--to", "fetch")
    stopped = project.last()
    project.folder.joinpath("nowhere").mkdir()
    mended = project.node("run", "--to", "fetch")

    assert failed.returncode == ConfigError.exit_code
    assert "fetch: " in failed.stderr
    assert "Next: mend source.folder" in failed.stderr
    assert stopped.failed
    assert stopped.ended_at is None
    assert mended.returncode == 0
    assert (project.last().id, project.last().tries, project.last().failed) == (stopped.id, 2, None)


def test_a_run_that_the_gate_ended_is_over(project: Project) -> None:
    """Its candidate stays what it is; the next run has a name of its own."""
    now = flow._now()
    refused = runs.Step(stage="promote", state=State.FAILED, began_at=now, exit_code=GateError.exit_code)
    run = runs.begin(project.work, "mine", now, afresh=False)
    runs.write(project.work, run.stepped(refused).ended(now) if runs.over(refused) else run)

    assert runs.begin(project.work, "mine", now, afresh=False).id != run.id


def test_one_run_at_a_time(project: Project) -> None:
    """The second is refused and told who is at it."""
    with project.work.locked("run"):
        done = project.node("run", "--to", "fetch")

        assert done.returncode == LockedError.exit_code
        assert f"process {os.getpid()}" in done.stderr
        assert json.loads(project.node("status", "--json").stdout)["busy"]


@pytest.mark.parametrize("victim", ["runner", "stage"])
def test_a_run_that_is_killed_goes_on(project: Project, victim: str) -> None:
    """By SIGKILL, it or its stage: nothing of it is left behind, the same run goes on, every document is there once."""
    with (project.docs / "big.bin").open("wb") as big:
        big.truncate(BIG)
    runner = subprocess.Popen(project.words("run", "--to", "fetch"), cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    stage = until(lambda: reading(project, runner.pid), "the stage reads no document")
    os.kill(runner.pid if victim == "runner" else stage, signal.SIGKILL)
    said = runner.communicate()[1]
    until(lambda: gone(stage), "the stage outlived its run")
    killed = project.last()
    (project.docs / "big.bin").unlink()
    project.docs.joinpath("b.txt").write_text("second")
    again = project.node("run", "--to", "fetch")

    assert (victim == "stage") == ("fetch: it was ended by SIGKILL" in said)
    assert killed.ended_at is None
    assert again.returncode == 0, again.stderr
    assert (project.last().id, project.last().tries) == (killed.id, 2)
    assert [each.path for each in project.work.read(Document, "documents.jsonl")] == ["a.txt", "b.txt"]


def test_a_stage_keeps_what_libraries_print_from_what_it_says(project: Project) -> None:
    """Standard output holds JSON lines alone: progress, then the report."""
    words = [word if word != "workloads.cli" else "workloads.label.stage" for word in project.words()]
    words.remove("label")
    done = subprocess.run([*words, "fetch"], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert [next(iter(line)) for line in lines] == ["done", "report"]
    assert lines[-1]["report"]["new"] == 1
