"""Of a restored candidate there are the records alone: what was decided of it stays, nobody asks it anything."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.flow.projects import Project, silent
from tests.workloads.label.returns.archive import evaluation
from workloads.label import flow
from workloads.label.learning import candidates
from workloads.label.learning.candidates import EVALUATION, VERDICT, Recipe
from workloads.label.records import ModelCard, Verdict
from workloads.label.stages import Context, finetune, promote

if TYPE_CHECKING:
    from pathlib import Path

RUN, NOW = "20261121T204500Z-1f3a", dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A project with the records of one candidate."""
    project = Project(tmp_path).write()
    card = ModelCard(
        run=RUN, project="mine", labels=["A"], base="tiny", tokenizer_sha256="0" * 64, onnx_sha256="0" * 64,
        examples=1, synthetic=0, training_sha256="0" * 64, seed=1, epochs=1, temperature=1, max_tokens=64, parity=0,
        versions={}, trained_at=NOW,
    )  # fmt: skip
    recipe = Recipe(
        base="tiny", base_sha256="0" * 64, labels=["A"], epochs=1, batch=1, learning_rate=0.1, seed=1,
        window_tokens=64, overlap_tokens=8,
    )  # fmt: skip
    for name, record in (("card", card), ("recipe", recipe)):
        project.work.put(f"{candidates.FOLDER}/{RUN}/{name}.json", record.model_dump_json().encode())
    at = flow.place(project.folder, project.site_file)
    return Context(at.params, at.site, at.work, "a run", silent)


def newest(context: Context) -> candidates.Candidate:
    """The one there is."""
    found = candidates.newest(context.work)
    assert found
    return found


def test_one_that_nobody_judged_is_trained_again(context: Context) -> None:
    """And one that was judged, or is here, is not."""
    assert finetune.lost(newest(context))
    context.work.put(f"{candidates.FOLDER}/{RUN}/model.onnx", b"weights")
    assert not finetune.lost(newest(context))
    newest(context).folder.joinpath("model.onnx").unlink()
    context.work.put(f"{candidates.FOLDER}/{RUN}/{EVALUATION}", evaluation().model_dump_json().encode())

    assert not finetune.lost(newest(context))


def test_one_that_is_not_here_is_not_promoted(context: Context) -> None:
    """Though its verdict was good: the next one is trained anew."""
    context.work.put(f"{candidates.FOLDER}/{RUN}/{EVALUATION}", evaluation().model_dump_json().encode())
    verdict = Verdict(run=RUN, passed=True, reasons=[], at=NOW)
    context.work.put(f"{candidates.FOLDER}/{RUN}/{VERDICT}", verdict.model_dump_json().encode())

    waits, why_not = promote.waiting(context)
    assert waits is None
    assert "only its records" in why_not
