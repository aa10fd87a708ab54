"""Two machines share a stage's work, with real Ray: power fails, runs are killed, and each thing is done once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab import ray_machines
from lab.instance import CHECKOUT
from tests.workloads.label.converting.conftest import Archive, label_python
from tests.workloads.label.spreading.shared import Shared, papers
from workloads.label.records import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.ray_machines import Machine

PAPERS, WITHIN_S = 60, 300.0
SETTINGS: dict[str, Any] = {"layout": False, "scanned": "skip", "workers": 1}
# Methods of Ray's services, by the port of each; what is asked does not matter: who asks is looked at first.
SERVICES = {
    0: "ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    1: "ray.rpc.NodeManagerService/GetNodeStats",
    2: "ray.rpc.ObjectManagerService/Pull",
}
STRANGER = """
import sys, grpc
for port, method in zip(sys.argv[2::2], sys.argv[3::2]):
    call = grpc.insecure_channel(f"{sys.argv[1]}:{port}").unary_unary("/" + method)
    try:
        call(b"", timeout=10, metadata=[("authorization", "Bearer " + "0" * 64)])
        print("let in")
    except grpc.RpcError as error:
        print(error.code().name)
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Head and member."""
    with ray_machines.pair(tmp_path_factory.mktemp("models")) as machines:
        yield machines


@pytest.fixture
def machines(both: tuple[Machine, Machine]) -> tuple[Machine, Machine]:
    """The same; one that the last test cut off is on again, and no work of it is left."""
    for machine in both:
        shutil.rmtree(machine.folder / "work", ignore_errors=True)
        if not machine.pids():
            machine.start()
    return both


@pytest.fixture
def project(machines: tuple[Machine, Machine], tmp_path: Path) -> Shared:
    """An archive on the head, fetched."""
    made = Shared(tmp_path, tmp_path, machine=machines[0])
    made.describe(**SETTINGS)
    made.put(**papers(PAPERS))
    return made


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The same archive, converted without Ray."""
    folder = tmp_path_factory.mktemp("alone")
    made = Archive(folder, folder)
    made.describe(**SETTINGS)
    made.put(**papers(PAPERS))
    made.convert()
    return made


def as_alone(project: Archive, alone: Archive) -> None:
    """One record a document; texts and reasons as one machine makes them."""
    assert set(project.ends().values()) == {1}
    assert {n: project.text(n) for n in project.converted()} == {n: alone.text(n) for n in alone.converted()}
    assert {n: q.why for n, q in project.aside().items()} == {n: q.why for n, q in alone.aside().items()}
    assert {n: q.path for n, q in project.aside().items()} == {n: q.path for n, q in alone.aside().items()}


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until it is so, while the process goes on."""
    due = time.monotonic() + WITHIN_S
    while not ready():
        assert time.monotonic() < due
        assert process.poll() is None
        time.sleep(0.1)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """A stage's report."""
    out, err = process.communicate(timeout=WITHIN_S)
    last = json.loads(out.splitlines()[-1])
    assert "report" in last, (last, err[-2000:])
    return dict(last["report"])


def holds(machine: Machine) -> bool:
    """Whether documents of a share lie on it."""
    return any((machine.folder / "work" / ".spread" / "share" / "archive").glob("*/*.pdf"))


@pytest.mark.drill
def test_every_document_is_done_once_although_a_machine_loses_its_power(
    project: Shared, machines: tuple[Machine, Machine], alone: Archive
) -> None:
    """The same texts and the same quarantine as one machine alone makes; the report names who died."""
    process = project.start()
    wait_for(lambda: holds(machines[1]) and bool(project.converted()), process)
    machines[1].cut()
    report = said(process)
    assert "192.0.2.2" in report["died"]
    assert (report["new"], report["machines"]) == (len(papers(PAPERS)), 2)
    as_alone(project, alone)


@pytest.mark.drill
def test_a_run_that_is_killed_goes_on_where_it_was(
    project: Shared, machines: tuple[Machine, Machine], alone: Archive
) -> None:
    """Hands end with it on both machines; the next run does what has no record, and nothing else."""
    process = project.start()
    wait_for(lambda: holds(machines[1]) and len(project.converted()) > 1, process)
    process.kill()
    process.communicate()
    done = len(project.ends())
    report = said(project.start())
    assert report["new"] == len(papers(PAPERS)) - done
    as_alone(project, alone)


@pytest.mark.drill
def test_predictions_are_those_of_one_machine(project: Shared, machines: tuple[Machine, Machine]) -> None:
    """The model goes to both; each item has one prediction, the same as this machine makes alone."""
    said(project.start())
    candidate = {"folder": str(project.work.path("serving", "1")), "run": "r", "project": "archive"}
    wanted = json.dumps({**candidate, "labels": ["PARTY"], "serving": None, "fault": ""})
    tiny = CHECKOUT / "tests/workloads/label/tiny.py"
    settings = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([label_python(), tiny], input=wanted + "\n", text=True, check=True, env=settings)
    report = said(project.start("preannotate"))
    shared = project.work.read(Prediction, "predictions.jsonl")
    assert (report["machines"], report["predicted"]) == (2, len(shared))
    assert len({each.item for each in shared}) == len(shared) > PAPERS // 2
    project.work.path("predictions.jsonl").unlink()
    site = json.loads(machines[0].site_file.read_text())
    machines[0].site_file.write_text(json.dumps({**site, "ray": None}))
    try:
        assert "machines" not in said(project.start("preannotate"))
    finally:
        machines[0].site_file.write_text(json.dumps(site))

    def told(each: Prediction) -> Prediction:
        return each.model_copy(update={"at": None})

    by_itself = {each.item: told(each) for each in project.work.read(Prediction, "predictions.jsonl")}
    assert {each.item: told(each) for each in shared} == by_itself


@pytest.mark.drill
def test_nobody_is_let_in_without_the_token(machines: tuple[Machine, Machine]) -> None:
    """Each of Ray's services, asked from the other machine with a token of somebody's own."""
    words = [word for port, method in SERVICES.items() for word in (str(ray_machines.PORT + port), method)]
    asked = machines[1].words(label_python(), "-c", STRANGER, machines[0].address, *words)
    answers = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert answers == ["UNAUTHENTICATED"] * len(SERVICES)
