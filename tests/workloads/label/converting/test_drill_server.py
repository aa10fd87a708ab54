"""The models' server is killed, or hangs, in the middle of a batch: the same texts, and nobody's document is blamed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from lab import models
from tests.workloads.label.converting import documents
from tests.workloads.label.converting.kills import kill_when, no_worker_lives, server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.workloads.label.converting.conftest import Archive

FILES = {f"d{n}__pdf": documents.pdf(*([f"{n} on page {page}, words enough."] for page in range(12))) for n in range(4)}


@pytest.mark.drill
def test_a_server_that_is_killed_costs_nothing_but_time(archive: Callable[..., Archive]) -> None:
    """With its first answers given: a fresh one goes on, each document has the text that it has without a server."""
    project = archive(models.ensure(names=("layout",)), layout=True, models="worker", slice_pages=4)
    project.put(**FILES)
    project.convert()
    names = project.converted().keys()
    wanted = {name: project.text(name) for name in names}
    assert len(wanted) == len(FILES)

    project.describe(models="server")
    for record in ("converted.jsonl", "triaged.jsonl"):
        project.work.path(record).unlink()
    process = project.start()
    assert kill_when(process, lambda: bool(list(project.work.path("slices").glob("*/*.json"))), server)
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert {name: project.text(name) for name in names} == wanted
    assert {each.backend for each in project.converted().values()} == {"docling-layout"}
    assert set(project.ends().values()) == {1}
    assert no_worker_lives(project)


@pytest.mark.drill
def test_a_server_that_hangs_is_replaced(archive: Callable[..., Archive]) -> None:
    """Stopped for good: its workers' tasks come to their time, and the batch ends all the same."""
    project = archive(models.ensure(names=("layout",)), layout=True, models="server", slice_pages=4, timeout_s=60)
    project.put(**FILES)
    process, due = project.start(), time.monotonic() + 300
    while not list(project.work.path("slices").glob("*/*.json")) and time.monotonic() < due:
        time.sleep(0.01)
    for pid in server(process):
        os.kill(pid, signal.SIGSTOP)
    process.communicate(timeout=900)
    assert process.returncode == 0
    assert set(project.ends().values()) == {1}
    assert project.converted().keys() == {name.replace("__", ".") for name in FILES}
