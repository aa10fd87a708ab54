"""The label loop's services, real ones, once a session: Label Studio, Calypso and its bucket in the lab `label`.

    def test_something(label_lab: LabelLab) -> None:
        project = label_lab.project("mine", folder)         # a copy with a name, and so a workspace, of its own
        done = label_lab.node("label", "run", "--project", str(project))

SPARKFLEET_TEST_LAB names another lab, for a session beside another one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lab import down, labelling, record
from lab.instance import Instance
from tests.workloads.label.desk import Desk, named
from tests.workloads.label.labs import LabelLab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABEL = "tests"


@pytest.fixture(scope="session")
def label_lab() -> Iterator[LabelLab]:
    """All services answer; whatever there is at the end is removed, also after a failure."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    instance = Instance.named(os.environ.get("SPARKFLEET_TEST_LAB", "label"))
    if other := record.alive(instance, LABEL):
        pytest.fail(f"another test session (process {other}) uses the lab {instance.name!r}")
    down.down(instance.name)
    record.claim(instance)
    record.note_self(instance, LABEL)
    try:
        yield LabelLab(instance, labelling.up(instance))
    finally:
        down.down(instance.name)


@pytest.fixture
def desk(label_lab: LabelLab, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """A project of its own for each test, in front of the lab's Label Studio."""
    server = label_lab.site.label_studio
    assert server
    return Desk(named(request.node.name), tmp_path, str(label_lab.site.python), server.url, server.token_file)
