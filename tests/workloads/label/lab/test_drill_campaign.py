"""A campaign on real services: rounds in Label Studio, a model after each, until the minutes are spent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.workloads.label.lab.looping import Loop
from workloads.label import testset
from workloads.label.campaigning.rounds import ROUNDS, How, Round
from workloads.label.records import Item, ModelCard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = pytest.mark.drill  # some minutes: every round trains a model
CAMPAIGN = """
[campaign]
batch = 20
budget_minutes = 44

[campaign.synthetic]
templates = "templates.txt"
values = { PARTY = ["{{company}}"], DATE = ["{{date}}"], AMOUNT = ["EUR #,###.00"], TERM = ["## months"] }
"""
TEMPLATES = "{PARTY} pays {AMOUNT} before {DATE}.\nFor {TERM}, {PARTY} takes the place of {PARTY}.\n"
MOST_TURNS = 6


def turn(loop: Loop, *words: str) -> dict[str, Any]:
    """`spark-node label campaign`, which must succeed."""
    done = loop.lab.node("label", "campaign", "--project", str(loop.folder), "--json", *words)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def test_a_campaign_from_its_first_round_to_its_end(
    label_lab: LabelLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rounds stand whole and once, chance is shown blank, made-up text stays within its share, the end holds."""
    loop = Loop(label_lab, "campaign", tmp_path / "contracts").begin(documents=60)
    with (loop.folder / "project.toml").open("a") as file:
        file.write(CAMPAIGN)
    (loop.folder / "templates.txt").write_text(TEMPLATES)

    said = turn(loop)
    a_round_stands_whole(loop)
    assert turn(loop)["rounds"] == said["rounds"]  # people are at it
    for _ in range(MOST_TURNS):
        loop.review()
        said = turn(loop)
        a_round_stands_whole(loop)
        if said["over"]:
            break

    assert "minutes is spent" in said["over"]
    tasks = len(loop.tasks())
    assert turn(loop)["over"] == said["over"]
    assert len(loop.tasks()) == tasks
    assert [each["round"] for each in said["points"]][:3] == [0, 1, 2]
    assert all(each["held_out"] for each in said["points"])
    assert said["points"][0]["drawn_documents"] > said["points"][1]["drawn_documents"] > 0
    made_up_text_is_marked_and_capped(loop)
    page = max(loop.work.path("runs").glob("*/campaign.html"))
    assert page.read_text().count("<circle") >= len(said["points"])
    (tmp_path.parent / "campaign.html").write_text(page.read_text())
    with capsys.disabled():
        print(f"\n{said['over']}, {said['minutes']:.1f} of them by the clock of a scripted person (simulated)")
        for each in said["points"]:
            print(each["round"], each["learned"], each["held_out"], each["drawn"], sep="\t")


def a_round_stands_whole(loop: Loop) -> None:
    """Every pick of every round is a task, once; only the uncertain ones were shown with a prediction."""
    rounds = loop.work.read(Round, ROUNDS)
    how = {pick.item: pick.how for each in rounds for pick in each.picks}
    tasks = {task["data"]["item"]: task for task in loop.tasks()}
    assert set(tasks) == set(how)
    assert loop.api.duplicates(loop.api.project(loop.name)) == 0
    assert {name for name, task in tasks.items() if task["predictions"]} == {
        name for name, why in how.items() if why is How.UNCERTAIN
    }
    for each in rounds[:-1]:
        assert sum(pick.how is How.DRAWN for pick in each.picks) >= len(each.picks) // 10


def made_up_text_is_marked_and_capped(loop: Loop) -> None:
    """A fifth of what the last model learned at most; its texts are in no item and no test set."""
    cards = sorted(loop.work.path("candidates").glob("*/card.json"))
    last = ModelCard.model_validate_json(cards[-1].read_text())
    assert 0 < last.synthetic <= last.examples * 0.2
    lines = loop.work.path("campaign/synthetic.jsonl").read_text().splitlines()
    made = {json.loads(line)["text"]: json.loads(line) for line in lines}
    assert all(each["generator"].startswith("faker ") and each["template"] for each in made.values())
    shown = {item.text for item in loop.work.read(Item, "items.jsonl")}
    held = testset.newest(loop.work)
    assert held
    assert not made.keys() & shown
    assert not made.keys() & {item.text for item in held.items}
