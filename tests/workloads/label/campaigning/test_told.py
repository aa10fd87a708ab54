"""What people and machines are told of a campaign: the page, its curve, the verb."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.label.campaigning.test_choice import params
from tests.workloads.label.campaigning.test_rules import points
from tests.workloads.label.flow.projects import Project
from tests.workloads.label.returns.archive import NOW, item, review
from workloads.errors import ConfigError
from workloads.label import drawing, flow
from workloads.label.campaigning import page, shown, state
from workloads.label.campaigning.rounds import POINTS, ROUNDS, How, Pick, Round

if TYPE_CHECKING:
    from pathlib import Path

SPOTS = st.builds(drawing.Spot, st.integers(0, 10**6), *[st.floats(0, 1)] * 3)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One round of three items, two of them reviewed; three models."""
    made = Project(tmp_path).write()
    every = [item(number) for number in range(30)]
    picks = [Pick(item=each.id, how=how) for each, how in zip(every, How, strict=False)]
    made.work.append("items.jsonl", every)
    made.work.append(ROUNDS, [Round(number=1, at=NOW, run="r", picks=picks)])
    made.work.append(POINTS, points(0.4, 0.6, 0.7, drawn=0.5))
    made.work.append("reviews.jsonl", [review(each, NOW + dt.timedelta(minutes=1), 90.0) for each in every[:2]])
    return made


@given(st.lists(SPOTS, max_size=9), st.lists(SPOTS, max_size=9))
def test_a_curve_holds_every_point_within_its_frame(one: list[drawing.Spot], other: list[drawing.Spot]) -> None:
    """Whatever was measured: XML that parses, a dot a point, none of them outside, a name for each line there is."""
    drawn = ET.fromstring(drawing.curves([one, other], ["one", "other"], "a <title>", "items"))  # noqa: S314
    dots = list(drawn.iter("circle"))
    assert len(dots) == len(one) + len(other)
    assert all(drawing.AXIS <= float(dot.attrib["cx"]) <= drawing.WIDTH for dot in dots)
    assert all(drawing.TOP <= float(dot.attrib["cy"]) <= drawing.TOP + drawing.HEIGHT for dot in dots)
    named = {each.text for each in drawn.iter("text")} & {"one", "other"}
    assert named == {name for name, line in (("one", one), ("other", other)) if line}


@given(st.integers(1, 10**9))
def test_an_axis_has_few_and_round_numbers(end: int) -> None:
    """Two to six of them, from 0 on, the last one no further from the end than they are from each other."""
    drawn = ET.fromstring(drawing.curves([[drawing.Spot(end, 0.5, 0, 1)]], ["one"], "a title", "items"))  # noqa: S314
    numbers = [
        int(each.text.replace(",", ""))
        for each in drawn.iter("text")
        if each.text and re.fullmatch(r"[\d,]+", each.text)
    ]
    step = numbers[1]
    assert numbers == list(range(0, end + 1, step))
    assert len(numbers) <= 6
    assert str(step).rstrip("0") in {"1", "2", "5"}


def test_the_page_says_what_the_records_say(project: Project) -> None:
    """A dot for each score, the minutes, what waits; nothing is loaded."""
    told = page.made(params(), state.look(project.work, params()), NOW)
    assert told.count("<circle") == 6
    assert "1 items wait for people" in told
    assert "3 <small>of 600; n = 2 reviews that tell</small>" in told
    assert "0.700 <small>0.000 to 1.000, n = 9</small>" in told
    assert "src=" not in told
    assert "href=" not in told


def test_machines_are_told_the_same(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Plain data: over or not, minutes, rounds and points."""
    shown.show(project.work, params(), None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["over"], told["waiting"], told["minutes"]) == (None, 1, 3.0)
    assert [each["round"] for each in told["points"]] == [0, 1, 2]
    shown.show(project.work, params(), None, as_json=False)
    told = capsys.readouterr().out
    assert "0.700 (0.00-1.00), 9" in told
    assert max(map(len, told.splitlines())) <= 80


def test_a_project_without_a_campaign_is_told_how_to_begin_one(project: Project) -> None:
    """Before any stage runs."""
    with pytest.raises(ConfigError, match="has no campaign"):
        shown.check(flow.place(project.folder, project.site_file).params)
    done = project.node("campaign")
    assert done.returncode == ConfigError.exit_code
    assert "[campaign]" in done.stderr
    assert not project.work.path("runs").exists()


def test_a_turn_is_every_stage_and_learns_before_it_chooses() -> None:
    """The same stages as a run's, in another order."""
    assert sorted(flow.TURN) == sorted(flow.STAGES)
    places = [flow.TURN.index(name) for name in ("collect", *flow.LEARNING, "preannotate", "publish")]
    assert places == sorted(places)
