"""Two machines share a stage's work, real Ray between them; one loses its power: every document is done once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from lab import ray_machines
from tests.workloads.label.converting.conftest import Archive
from tests.workloads.label.spreading.shared import Shared, papers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.ray_machines import Machine

PAPERS, WITHIN_S = 60, 300.0


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Head and member."""
    with ray_machines.pair(tmp_path_factory.mktemp("models")) as both:
        yield both


@pytest.fixture
def project(machines: tuple[Machine, Machine], tmp_path: Path) -> Shared:
    """An archive on the head, fetched."""
    made = Shared(tmp_path, tmp_path, machine=machines[0])
    made.describe(layout=False, scanned="skip", workers=1)
    made.put(**papers(PAPERS))
    return made


@pytest.mark.drill
def test_every_document_is_done_once_although_a_machine_loses_its_power(
    project: Shared, machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    """The same texts and the same quarantine as one machine alone makes; the report names who died."""
    process = project.start()
    due = time.monotonic() + WITHIN_S
    while not held(machines[1]) or not project.converted():
        assert time.monotonic() < due
        assert process.poll() is None
        time.sleep(0.1)
    machines[1].cut()
    out, err = process.communicate(timeout=WITHIN_S)
    assert '"report"' in out.splitlines()[-1], out + err
    assert "ActorDied" in out.splitlines()[-1]
    assert set(project.ends().values()) == {1}
    assert project.ends().keys() == set(project.names().values())
    alone = Archive(tmp_path / "alone", tmp_path)
    alone.folder.mkdir()
    alone.describe(layout=False, scanned="skip", workers=2)
    alone.put(**papers(PAPERS))
    alone.convert()
    assert {name: project.text(name) for name in project.converted()} == {
        name: alone.text(name) for name in alone.converted()
    }
    assert {name: each.why for name, each in project.aside().items()} == {
        name: each.why for name, each in alone.aside().items()
    }


def held(machine: Machine) -> bool:
    """Whether documents of a share lie on it."""
    return any((machine.folder / "work" / ".spread" / "share" / "archive").glob("*/*.pdf"))
