"""kill -9 at random moments, of the run and of its workers: in the end everything is as if nobody had been killed."""

from __future__ import annotations

import random
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab import models
from tests.workloads.label.converting import documents
from tests.workloads.label.converting.kills import itself, kill_when, no_worker_lives, workers
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workloads.label.converting.conftest import Archive

MOMENTS, SEED = 10, 7
WORDS: dict[str, Any] = {"layout": False, "scanned": "skip"}  # short runs: kills fall everywhere
MODELS: dict[str, Any] = {"layout": True, "scanned": "vision"}
FILES = {
    **{f"long{n}__pdf": documents.pdf(*([f"{n} on page {page}."] for page in range(60))) for n in range(3)},
    "lease__docx": documents.docx("Acme rents to Ada.", table=[["due", "rent"], ["1 May", "500"]]),
    "scan__pdf": documents.pdf(["A page that has words enough."], documents.PICTURE_ONLY),
    "rows__csv": b"name,n\n" + b"".join(b"row %d,%d\n" % (n, n) for n in range(3000)),
    "words__txt": b"Just words.",
    "empty__pdf": b"",
    "noise__pdf": b"%PDF-1.7\n" + bytes(range(256)) * 20,
}


def outcome(project: Archive) -> tuple[dict[str, str], dict[str, Why]]:
    """What people would read, and what is set aside why."""
    texts = {name: project.text(name) for name in project.converted()}
    return texts, {name: each.why for name, each in project.aside().items()}


@pytest.mark.drill
@pytest.mark.parametrize("victims", [itself, workers])
@pytest.mark.parametrize("settings", [WORDS, MODELS])
def test_ten_kills_at_random_moments_change_nothing(
    archive: Callable[..., Archive], tmp_path: Path, victims: Callable[..., list[int]], settings: dict[str, Any]
) -> None:
    """The same texts, the same quarantine, one record each, no worker left, no slice and no scratch left."""
    project = archive(models.ensure(names=("layout", "vision")), slice_pages=10, **settings)
    files = FILES if settings is MODELS else {name: data for name, data in FILES.items() if name != "lease__docx"}
    project.put(**files)
    began = time.monotonic()
    project.convert()
    lasted, wanted = time.monotonic() - began, outcome(project)
    assert set(project.ends().values()) == {1}
    assert wanted[1] == {"empty.pdf": Why.EMPTY, "noise.pdf": Why.UNREADABLE}
    moments = random.Random(SEED)  # noqa: S311
    killed = 0
    for _ in range(MOMENTS):
        shutil.rmtree(tmp_path / "work")
        project.fetch()
        process, at = project.start(), time.monotonic() + moments.uniform(0, lasted)
        killed += kill_when(process, lambda at=at: time.monotonic() > at, victims)
        process.communicate()
        if victims is itself:
            assert no_worker_lives(project)
        project.convert()
        assert outcome(project) == wanted
        assert set(project.ends().values()) == {1}
        assert not list(project.work.path("slices").glob("*"))
        assert not project.work.path("scratch").exists()
    assert killed > MOMENTS // 2


@pytest.mark.drill
def test_a_page_that_hangs_or_eats_memory_costs_itself_alone(archive: Callable[..., Archive]) -> None:
    """10¹² drawing steps on the second of three pages: it is told as failed, the others are read."""
    project = archive(timeout_s=2, memory_mib=600)
    project.put(
        endless__pdf=documents.endless_pdf(),
        greedy__pdf=documents.greedy_pdf(40),
        good__pdf=documents.pdf(["Words enough."]),
    )
    project.convert()
    endless = project.converted()["endless.pdf"]
    assert endless.partial
    assert endless.notes[0].startswith(("page 2: timeout", "page 2: memory"))
    assert project.text("endless.pdf").count("is fine and has words.") == 2
    assert project.aside()["greedy.pdf"].why in {Why.MEMORY, Why.TIMEOUT}
    assert not project.converted()["good.pdf"].partial
