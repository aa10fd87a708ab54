"""The loop, killed in every stage: whoever dies, the next run goes on under the same name, nothing is lost or twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from tests.workloads.label.flow.projects import children, gone
from tests.workloads.label.lab.looping import Loop
from tests.workloads.label.labs import CHECKOUT
from workloads.label import runs
from workloads.label.records import Document, Published, Review
from workloads.label.runs import State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = pytest.mark.drill
BEGINS_WITHIN_S = 300  # what comes before it has to be done again, at least looked at
FIRST = ("convert", "finetune", "promote", "preannotate", "publish")
SECOND = ("collect", "finetune", "evaluate", "promote")


def kill(loop: Loop, stage: str, victim: str) -> bool:
    """Start a run, kill it or its stage with SIGKILL as soon as that stage is at work; False: it was over before."""
    words = [sys.executable, "-m", "workloads.cli", "label", "run", "--project", str(loop.folder), "--json"]
    with subprocess.Popen(
        words, cwd=CHECKOUT, env=loop.lab.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as runner:

        def at_work() -> int | None:
            found = runs.read(loop.work, most=1)
            last = found[0].steps[-1] if found and found[0].steps else None
            if last and last.stage == stage and last.state is State.RUNNING:
                return next(iter(children(runner.pid)), None)
            return 0 if runner.poll() is not None else None

        seen: list[int | None] = []

        def begun() -> bool:
            seen.append(at_work())
            return seen[-1] is not None

        until(begun, f"{stage} does not begin", BEGINS_WITHIN_S)
        if worker := seen[-1]:  # else it was over before we looked
            os.kill(runner.pid if victim == "runner" else worker, signal.SIGKILL)
            runner.wait()
            until(lambda: gone(worker), "the stage outlived its run")
    return bool(worker)


def test_the_loop_survives_kills_in_every_stage(label_lab: LabelLab, tmp_path: Path) -> None:
    """Runner and stage in turn; at the end all is there once: documents, texts, tasks, reviews, versions."""
    loop = Loop(label_lab, "shot", tmp_path / "contracts").begin(documents=20)
    for number, stage in enumerate(FIRST):
        assert kill(loop, stage, "runner" if number % 2 else "stage")
    first = loop.run()

    loop.whole()
    assert first.tries == len(FIRST) + 1
    assert [each.version for each in loop.promotions()] == [1]
    assert len(loop.tasks()) == len(loop.work.read(Published, "published.jsonl"))

    told = loop.review()
    for number, stage in enumerate(SECOND):
        assert kill(loop, stage, "stage" if number % 2 else "runner")
    loop.run()

    reviews = loop.work.read(Review, "reviews.jsonl")
    assert len({each.annotation for each in reviews}) == len(reviews) == told.total()
    assert len(loop.work.read(Document, "documents.jsonl")) == len(loop.known)
    promotions = loop.promotions()
    versions = [each.version for each in promotions if each.version]
    assert versions == sorted(set(versions))
    assert len(versions) == len(promotions)
    loop.whole()
