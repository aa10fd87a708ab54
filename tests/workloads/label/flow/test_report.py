"""The page of a run: what it shows is what the records say, and nothing that somebody wrote there acts."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.label.flow.projects import Project
from workloads.label import drawing, report, runs
from workloads.label.records import Evaluation, Quarantined, Score, Verdict, Why
from workloads.label.returns.file import Shown
from workloads.label.runs import Error, State, Step

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 21, 20, 0, tzinfo=dt.UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a run that failed."""
    made = Project(tmp_path).write()
    (made.docs / "a.txt").write_text("one")
    made.fetch()
    return made


def failed() -> runs.Run:
    """A run that an error stopped."""
    error = Error(what=HOSTILE, usually="it happens", next="do this")
    steps = [
        Step(stage="fetch", state=State.DONE, began_at=NOW, seconds=1.5, told={"new": 1, "source": HOSTILE}),
        Step(stage="convert", state=State.FAILED, began_at=NOW, seconds=2.0, error=error, exit_code=24),
    ]
    return runs.Run(id="20261121T200000Z-0001", project="mine", began_at=NOW, steps=steps)


def test_what_others_wrote_is_text(project: Project) -> None:
    """A name, a detail or an error with markup stands there as it was written, and the page loads and runs nothing."""
    aside = Quarantined(document="0" * 64, path=HOSTILE, why=Why.HOSTILE, detail=HOSTILE, tried=[], at=NOW)
    project.work.append("quarantine.jsonl", [aside])
    page = report.page(project.work, failed(), NOW)

    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") >= 4
    assert "\x1b" not in page
    assert not re.search(r"(?:src|href)\s*=|url\(|@import", page.replace("&lt;img src=x", ""))
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_an_error_is_told_in_its_three_parts(project: Project) -> None:
    """What, why it mostly happens, what to do."""
    page = report.page(project.work, failed(), NOW)

    assert "stopped at convert" in page
    assert "This usually means: it happens" in page
    assert "Next: do this" in page


def test_a_candidate_is_shown_beside_what_serves(project: Project) -> None:
    """Each label with both intervals and its n, the difference, and every reason of the gate."""
    score = Score(precision=0.5, recall=0.5, f1=0.5, low=0.4, high=0.6, entities=17)
    better = score.model_copy(update={"f1": 0.75, "low": 0.7, "high": 0.8})
    evaluation = Evaluation(
        run="r", serving="mine:3", test_set="v002", items=9, documents=8, candidate={"all": better, "A": better},
        incumbent={"all": score, "A": score}, difference=0.25, difference_low=-0.01, confidence=0.98, latency_ms=7.0,
        at=NOW,
    )  # fmt: skip
    verdict = Verdict(run="r", passed=False, reasons=["it may be no better"], at=NOW)
    project.work.put("candidates/r/evaluation.json", evaluation.model_dump_json().encode())
    project.work.put("candidates/r/verdict.json", verdict.model_dump_json().encode())
    page = report.page(project.work, failed(), NOW)

    assert page.count("n = 17") == 2
    assert "mine:3 0.500, 0.400 to 0.600" in page
    assert "candidate 0.750, 0.700 to 0.800" in page
    assert "may not serve" in page
    assert "it may be no better" in page


@given(st.lists(st.tuples(st.text(max_size=40), st.lists(st.integers(0, 10**9), min_size=4, max_size=4)), max_size=5))
def test_a_drawing_is_well_formed_and_holds_every_n(rows: list[tuple[str, list[int]]]) -> None:
    """Whatever the names and counts: XML that parses, bars within the plot, and the total of each row."""
    import xml.etree.ElementTree as ET  # ours

    rows = [("".join(each for each in name if each.isprintable()), counts) for name, counts in rows]
    drawn = ET.fromstring(drawing.shares(rows, ["a", "b", "c", "d"], "a <title>"))  # noqa: S314
    texts = [each.text for each in drawn.iter("text")]

    assert [f"n = {sum(counts):,}" for _, counts in rows] == [
        text for text in texts if text and text.startswith("n = ")
    ]
    for bar in drawn.iter("rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= drawing.WIDTH + 0.2


def test_the_accept_rate_is_of_the_newest_model_that_somebody_judged() -> None:
    """One that nobody has seen yet has no rate; skipped items count for nothing."""
    old = Shown(model="m:1", accepted=9, edited=1, rejected=0, skipped=5, spans=10, kept=9, reviewed=10)
    new = Shown(model="m:2", accepted=0, edited=0, rejected=0, skipped=3, spans=0, kept=0, reviewed=0)

    assert report.accepted([old, new]) == report.Accepted("m:1", 0.9, 10)
    assert report.accepted([new]) is None
