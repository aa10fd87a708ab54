"""The stage: records on a disk → roi.json, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.returns.archive import known, params
from workloads.errors import DamagedError
from workloads.label.returns.delivery import serving
from workloads.label.returns.file import FILE, Roi
from workloads.label.site import Site
from workloads.label.stages import Context, roi
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = known()


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A workspace that holds the made-up project."""
    work = Workspace(tmp_path / "contracts")
    work.replace("documents.jsonl", KNOWN.documents)
    work.replace("items.jsonl", KNOWN.items)
    work.replace("published.jsonl", KNOWN.published)
    work.replace("reviews.jsonl", KNOWN.reviews)
    work.replace("promotions.jsonl", KNOWN.promotions)
    return Context(params(), Site(), work, "20261121T120000Z-0000", lambda *_: None)


def written(work: Workspace) -> Roi:
    """What the stage put down."""
    return Roi.model_validate_json(work.path(FILE).read_text())


def test_the_records_become_figures(context: Context) -> None:
    """What the serving model was made of, and what it is worth, comes from its candidate's folder."""
    serves = serving(KNOWN.promotions)
    assert serves
    run = serves.run
    context.work.replace(f"candidates/{run}/training.jsonl", KNOWN.learned or [])
    assert KNOWN.evaluation
    context.work.put(f"candidates/{run}/evaluation.json", KNOWN.evaluation.model_dump_json().encode())
    report = roi.run(context)
    made = written(context.work)
    assert made.waiting
    assert made.waiting.reviews == report["waiting"]
    assert made.held_out
    assert made.held_out.test_set == "v002"
    assert (made.converted, made.quarantined) == (0, 0)
    assert roi.run(context) == report
    assert written(context.work).model_copy(update={"at": made.at, "backlog": made.backlog}) == made


def test_without_the_candidate_it_is_not_known_what_waits(context: Context) -> None:
    """Absent, and neither nothing nor everything."""
    report = roi.run(context)
    assert report["waiting"] is None
    assert written(context.work).waiting is None
    assert written(context.work).held_out is None


def test_an_empty_workspace_has_figures_too(tmp_path: Path) -> None:
    """The loop has begun, and nothing is known."""
    work = Workspace(tmp_path / "contracts")
    report = roi.run(Context(params(), Site(), work, "20261121T120000Z-0000", lambda *_: None))
    assert report["reviews"] == 0
    assert report["seconds_per_item"] is None


def test_a_damaged_record_is_named_and_the_old_figures_stay(context: Context) -> None:
    """Half of the reviews would make wrong figures: none are made."""
    roi.run(context)
    before = written(context.work)
    context.work.path("reviews.jsonl").write_text('{"item": 1}\n')
    with pytest.raises(DamagedError, match=r"reviews\.jsonl, line 1"):
        roi.run(context)
    assert written(context.work) == before
