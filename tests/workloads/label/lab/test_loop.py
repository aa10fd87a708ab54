"""The whole loop on real services: an archive goes in, people correct, a better model serves; figures say so."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.exporters.roi.board import QUERIES, filled_in
from tests.exporters.roi.watched import watched
from tests.workloads.label.lab.looping import Loop, accept_rate
from workloads.label.records import Arm, Item, Quarantined, Review
from workloads.label.runs import State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

# What a project lacks whose work is done, by one person, in one month, with help from the beginning.
LACKING = re.compile(r'waiting_seconds|forecast|group="before"|agreement')
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
    the_dashboard_tells_it(loop, tmp_path)
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


def the_dashboard_tells_it(loop: Loop, folder: Path) -> None:
    """A Prometheus that scrapes the exporter of these figures answers what is asked, and with the recorded latency."""
    with watched(folder, {loop.name: loop.work.path("roi.json").read_text()}) as prometheus:
        silent = [query for query in QUERIES if not prometheus.series(filled_in(query.expression, loop.name))]
        (took,) = [query.expression for query in QUERIES if query.panel == "Last model took"]
        shown = float(prometheus.series(filled_in(took, loop.name))[0]["value"][1])
    newest = loop.promotions()[-1]
    assert not [query.expression for query in silent if not LACKING.search(query.expression)]
    assert newest.first_review_at
    assert shown == pytest.approx((newest.ended_at - newest.first_review_at).total_seconds(), abs=0.001)


def test_another_project_has_labels_of_its_own(label_lab: LabelLab, tmp_path: Path) -> None:
    """Invoices: other documents, other labels, the same loop; what people corrected makes the next model."""
    loop = Loop(label_lab, "bills", tmp_path / "invoices", "invoices").begin(documents=40)
    first = loop.run()
    assert {step.state for step in first.steps} == {State.DONE}
    loop.whole()
    taught = loop.promotions()[-1].run
    assert taught == first.id
    shown = loop.review()
    for documents in (60, 90, 120):  # until the held-out documents are enough for the gate to be sure
        loop.archive(documents)
        last = loop.run()
        loop.whole()
        if loop.promotions()[-1].run != taught:
            break
        loop.review()
    assert loop.promotions()[-1].run == last.id
    assert shown["edited"]
    labels = {span.label for each in loop.work.read(Review, "reviews.jsonl") for span in each.spans}
    assert labels == {"VENDOR", "NUMBER", "DATE", "TOTAL", "IBAN"}
    latency_is_what_was_recorded(loop)
