"""200 requests a second, none sent again, while candidates are promoted, refused, rolled back and killed half-way.

pytest -m drill -s tests/workloads/label/lab/test_drill_promote.py      prints a table a load
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab import store as stores
from lab import toolchain
from tests.workloads.label.promotions import Project, ended, kill, load, restart, table
from workloads.errors import GateError, LockedError, StoreError
from workloads.label.promoting import probes, steps, turn
from workloads.label.promoting.steps import Limits, Way
from workloads.label.promoting.turn import Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = [pytest.mark.lab, pytest.mark.drill]
FAULTS = {
    "truncated": "is not the file that the card names",
    "unreadable": "is no model",
    "outputs": "outputs a token",
    "vocabulary": "does not take what its tokenizer makes",
    "slow": "the budget is 150.0 ms",
}
RECONNECT_S = 1.0  # callers try to connect ten times a second
OVERHEAD_S = 3.0  # of a restart: from the kill to the start, and until callers are connected


@pytest.fixture
def project(label_lab: LabelLab, tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    """One with a first version that serves."""
    made = Project(f"p-{abs(hash(request.node.name)) % 10**8}", tmp_path / "project", label_lab)
    made.candidate()
    assert made.promote()["result"] == "promoted"
    return made


def sound(told: dict[str, Any], project: Project, *, but: tuple[str, ...] = ()) -> None:
    """Print the table; no phase but those failed a request, and each version, a whole one, gave one answer."""
    print(table(told))
    failed = {name: each["why"] for name, each in told["phases"].items() if each["failed"] and name not in but}
    assert not failed
    assert {version: len(answers) for version, answers in told["answers"].items()} == dict.fromkeys(told["answers"], 1)
    assert all(project.repository.manifest(int(version)) for version in told["answers"])
    assert told["rate"] >= 190


def test_no_request_fails_whatever_becomes_of_a_candidate(project: Project) -> None:
    """Promoted; damaged in each way; too slow; kept out by the gate; rolled back after it served."""
    with load(project) as running:
        running.phase("steady")
        time.sleep(5)
        running.phase("promoted")
        run = project.candidate()
        assert project.promote()["result"] == "promoted"
        for fault, said in FAULTS.items():
            running.phase(f"refused: {fault}")
            project.candidate(fault)
            answer = project.promote()
            assert (answer.get("code"), said in answer["what"]) == (GateError.exit_code, True), answer
        running.phase("refused: worse")
        project.candidate("worse")
        assert project.promote()["result"] == "refused"
        running.phase("refused: loads nowhere but here")
        in_process(
            project, lambda way, version, files: steps.trial(way, version, files["model.onnx"][:-500], known(files))
        )
        running.phase("rolled back")
        in_process(project, lambda way, *_: rolled_back(way), latency_ms=0.001)
        running.phase("rolled back by hand")
        by_hand = project.lab.node("label", "rollback", "--project", str(project.folder), "--to", "1")
        assert by_hand.stdout == f"{project.name}:1 serves\n", by_hand.stderr
        assert project.promote()["result"].startswith("nothing new")
        running.phase("promoted again")
        run = project.candidate()
        assert project.promote()["result"] == "promoted"
        told = running.end()

    assert project.server.run_of(project.name) == run
    sound(told, project)
    assert told["phases"]["rolled back"]["versions"].keys() - told["phases"]["steady"]["versions"].keys() >= {"2"}


def test_no_request_fails_when_promoters_are_killed_at_every_step(project: Project) -> None:
    """The next one ends what the dead one began: it serves, or what served before does; never anything in between."""
    moments = [(Step.BEGAN, 0.0), (Step.UPLOADED, 0.0), (Step.UPLOADED, 1.0), (Step.UPLOADED, 3.0)]
    moments += [(Step.SWITCHED, after_s) for after_s in (0.0, 0.3, 1.5, 4.0, 9.0)]
    with load(project) as running:
        for step, after_s in moments:
            running.phase(f"killed {after_s:.1f} s behind {step}")
            run, before = project.candidate(), project.serving
            process = project.start()
            project.reaches(step, run)
            time.sleep(after_s)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert project.serving in {before, (before or 0) + 1}
            report = project.promote()
            assert "promoted" in report["result"] or report["ended"].endswith("serving"), report
            assert project.server.run_of(project.name) == run
            assert project.ends()[-1] == (run, "serving")
        told = running.end()

    sound(told, project)
    assert project.serving == 1 + len(moments)
    assert [end for _, end in project.ends()] == ["serving"] * (1 + len(moments))


def test_of_two_promotions_at_once_one_is_refused(project: Project) -> None:
    """It says who has the turn; the other one goes on, and no request fails."""
    with load(project) as running:
        running.phase("two at once")
        run = project.candidate()
        first = project.start()
        project.reaches(Step.SWITCHED, run)
        who = rf"process {first.pid} on .* since .* UTC \(run {run}, switched\)"
        with pytest.raises(LockedError, match=who), turn.taken(project.repository, "another"):
            pass
        report = ended(first)
        told = running.end()

    assert report["result"] == "promoted"
    sound(told, project)


def test_what_fails_for_callers_alone_is_rolled_back_also_when_the_promoter_dies(project: Project) -> None:
    """Its own questions are answered, callers' are not: the server's own count tells, and what served comes back."""
    with load(project) as running:
        for phase, killed in (("deaf", False), ("deaf, killed while it rolls back", True)):
            running.phase(phase)
            run = project.candidate("deaf")
            process = project.start()
            if killed:
                project.reaches(Step.BACK, run)
                process.send_signal(signal.SIGKILL)
            answer = ended(process) if not killed else process.communicate() and project.promote()
            assert "requests; before: 0.0%" in answer.get("what", "") or answer["ended"].endswith("rolled back"), answer
            project.served_by(1)
            assert project.ends()[-1] == (run, "rolled back")
            running.phase(f"after {phase}")
            time.sleep(5)
        told = running.end()

    sound(told, project, but=("deaf", "deaf, killed while it rolls back"))
    assert project.serving == 1


def test_a_restart_costs_its_start_up_time_and_brings_the_promoted_version_back(project: Project) -> None:
    """Killed while it serves, and killed in the middle of a promotion; the truth is in the bucket."""
    with load(project) as running:
        running.phase("before")
        time.sleep(2)
        running.phase("restart")
        idle_s = restart(project.lab)
        project.served_by(1)
        time.sleep(RECONNECT_S)
        running.phase("after")
        time.sleep(8)
        run = project.candidate()
        running.phase("restart in the middle")
        process = project.start()
        project.reaches(Step.SWITCHED, run)
        restart(project.lab)
        first = ended(process)
        second = project.promote()
        assert "promoted" in first.get("result", "") or second.get("ended", "").endswith("serving"), (first, second)
        running.phase("at the end")
        time.sleep(3)
        told = running.end()

    sound(told, project, but=("restart", "restart in the middle"))
    away_s = told["phases"]["restart"]["failing_s"]
    print(f"the server was away for {away_s:.1f} s; it needs {idle_s:.1f} s to start")
    assert away_s <= idle_s + OVERHEAD_S
    assert project.server.run_of(project.name) == run
    assert told["phases"]["at the end"]["versions"].keys() == {str(project.serving)}


def test_a_store_that_dies_stops_the_promotion_and_nothing_else(project: Project) -> None:
    """Before the upload, and while the version is watched: what serves goes on; the next run ends it."""
    instance = project.lab.instance
    with load(project) as running:
        for step in (Step.BEGAN, Step.SWITCHED):
            running.phase(f"store dies behind {step}")
            run = project.candidate()
            process = project.start()
            project.reaches(step, run)
            kill(project.lab, stores.S3)
            answer = ended(process)
            stores.up(instance, toolchain.ensure(["versitygw"])["versitygw"])
            assert answer["code"] == StoreError.exit_code, answer
            report = project.promote()
            assert "promoted" in report["result"] or report["ended"].endswith("serving"), report
            assert project.server.run_of(project.name) == run
        told = running.end()
    sound(told, project)


def in_process(project: Project, act: Callable[[Way, int, dict[str, bytes]], object], latency_ms: float = 1000) -> None:
    """Upload a candidate and do something with it that must fail; its turn ends as it noted."""
    run = project.candidate()
    folder = project.lab.work(project.name).path("candidates", run)
    with turn.taken(project.repository, run) as held:
        way = Way(project.repository, project.server, held, Limits(latency_ms=latency_ms, watch_s=2))
        held.note(before=project.serving)
        version = steps.upload(way, folder)
        with pytest.raises(GateError):
            act(way, version, {file.name: file.read_bytes() for file in folder.iterdir()})
        if held.turn.step is Step.UPLOADED:
            held.note(Step.REFUSED)


def rolled_back(way: Way) -> None:
    """Switch to it and find it too slow."""
    way.held.note(Step.SWITCHED)
    failed = steps.end(way)
    assert way.held.turn.step is Step.ROLLED_BACK
    if failed:
        raise failed


def known(files: dict[str, bytes]) -> list[probes.Probe]:
    """Its questions."""
    return probes.PROBES.validate_json(files[probes.FILE])
