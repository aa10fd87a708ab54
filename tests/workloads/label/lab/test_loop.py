"""The whole loop on real services: an archive goes in, people correct, a better model serves; figures say so."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.lab.looping import Loop, accept_rate
from workloads.label.records import Arm, Item, Quarantined, Review
from workloads.label.runs import State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = pytest.mark.drill  # two minutes and a half on two quiet cores


def test_corrections_become_a_better_model(
    label_lab: LabelLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """40 mixed documents → marked tasks → corrections → training → gate → Calypso → the next batch is marked better."""
    loop = Loop(label_lab, "loop", tmp_path / "contracts").begin(documents=40)

    first = loop.run()

    assert {step.state for step in first.steps} == {State.DONE}
    loop.whole()
    aside = {each.path: each.why for each in loop.work.read(Quarantined, "quarantine.jsonl")}
    assert set(aside) == {"contracts-010.pdf", "contracts-020.docx", "contracts-030.pdf"}
    items = {each.id: each for each in loop.work.read(Item, "items.jsonl")}
    tasks = loop.tasks()
    assert {task["data"]["item"] for task in tasks} == set(items)
    marked = {task["data"]["item"] for task in tasks if task["predictions"]}
    assert marked == {each.id for each in items.values() if each.arm is Arm.ASSISTED}

    before = loop.review()
    loop.archive(documents=70)
    second = loop.run()

    taught, newest = loop.promotions()[-2:]
    assert newest.run == second.id
    assert newest.version == (taught.version or 0) + 1

    loop.run()  # what waits for people is marked by the new model now
    waiting = {each.id for each in loop.work.read(Item, "items.jsonl")} - set(items)
    shown = {
        each["model_version"]
        for task in loop.tasks()
        for each in task["predictions"]
        if task["data"]["item"] in waiting
    }
    assert f"loop:{newest.version}" in shown
    after = loop.review()
    last = loop.run()

    with capsys.disabled():
        print(f"\naccepted unchanged: {accept_rate(before):.0%} of {before.total()} items before", end="")
        print(f", {accept_rate(after):.0%} of {after.total()} after", end=" ")
    assert accept_rate(after) > accept_rate(before)
    loop.whole()
    latency_is_what_was_recorded(loop)
    page = loop.work.path("runs", last.id, "report.html").read_text()
    assert f"loop:{newest.version}" in page
    assert page.count("<svg") >= 4
    status = json.loads(label_lab.node("label", "status", "--project", str(loop.folder), "--json").stdout)
    assert status["serving"] == f"loop:{loop.promotions()[-1].version}"


def latency_is_what_was_recorded(loop: Loop) -> None:
    """From the first correction that only this model learned from, by Label Studio's clock, until it served."""
    roi, newest = loop.roi(), loop.promotions()[-1]
    assert newest.first_review_at
    made = [
        dt.datetime.fromisoformat(each["updated_at"])
        for task in loop.tasks() for each in task["annotations"] if not each["was_cancelled"]
    ]  # fmt: skip
    assert newest.first_review_at in made
    assert newest.first_review_at in {each.at for each in loop.work.read(Review, "reviews.jsonl")}
    assert roi.deliveries[-1].serving_at == newest.ended_at
    assert roi.deliveries[-1].seconds == pytest.approx((newest.ended_at - newest.first_review_at).total_seconds())
