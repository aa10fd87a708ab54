"""Campaigns on archives with a known truth (simulated): what choosing is worth, and whether the random arm is honest.

pytest -m drill -s tests/workloads/label/campaigning/test_drill_campaigns.py
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.campaigning import simulated
from tests.workloads.label.returns.archive import NOW
from workloads.label.campaigning import choice, stopping
from workloads.label.campaigning.rounds import How, Point, Round
from workloads.label.campaigning.unlearned import unlearned
from workloads.label.learning import scoring
from workloads.label.records import Arm, Review

if TYPE_CHECKING:
    from tests.workloads.label.campaigning.simulated import World
    from workloads.label.learning.scoring import Question

pytestmark = pytest.mark.drill  # some minutes of one core
SEEDS, ROUNDS, ENOUGH = 12, 40, 0.95
SIMULATIONS, PAGES = 240, 600
T_95 = 2.201  # Student's t, two-sided 95 %, 11 degrees of freedom


def test_choosing_takes_fewer_reviews_than_chance(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 12 archives: items reviewed until the model has 95 % of what it would have if everything were reviewed."""
    settings, ratios, rows = simulated.params(), [], []
    for seed in range(SEEDS):
        of = simulated.world(seed)
        whole = of.f1(of.taught(of.items), of.of(Arm.TEST))
        told = []
        for active in (True, False):
            steps = simulated.campaign(of, settings, active=active, rounds=ROUNDS)
            told.append(simulated.needed(of, steps, ENOUGH * whole))
        chosen, drawn = told
        assert chosen is not None
        assert drawn is not None
        ratios.append(math.log(drawn / chosen))
        rows.append(f"{seed:4} {len(of.items):6} {whole:8.3f} {chosen:8.0f} {drawn:8.0f} {drawn / chosen:7.2f}")
    middle, spread = statistics.fmean(ratios), T_95 * statistics.stdev(ratios) / math.sqrt(len(ratios))
    low, high = math.exp(middle - spread), math.exp(middle + spread)
    with capsys.disabled():
        print("\nseed  items  F1 of all  chosen    drawn   drawn ÷ chosen   (reviews to 95 % of it; simulated)")
        print(*rows, sep="\n")
        print(f"geometric mean {math.exp(middle):.2f}, 95 % interval {low:.2f} to {high:.2f}, n = {SEEDS} archives")
    assert low > 1.2


def test_the_random_arm_covers_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    """In 240 campaigns its 95 % interval holds the true F1 as often as it says; that of the chosen items does not."""
    truth = simulated.world(-1, PAGES, terms=0)
    pages = choice.spread(truth.items.values())[:PAGES]  # one of each document, as the random arm has it
    settings = simulated.params(batch=simulated.BATCH, random_share=0.5)
    hits = {How.DRAWN: 0, How.UNCERTAIN: 0}
    for seed in range(SIMULATIONS):
        of = simulated.world(seed, 150, terms=0, control_share=0.4)
        rounds, model = two_rounds(of, settings)
        true = truth.f1(model, pages)
        for how in hits:
            asked = judged(of, rounds, how)
            said = [model.say(each.text).spans for each in asked]
            score = scoring.scores(scoring.counts(asked, said, simulated.LABELS), simulated.LABELS)["all"]
            hits[how] += score.low <= true <= score.high
    share = {how: count / SIMULATIONS for how, count in hits.items()}
    error = 1.96 * math.sqrt(0.95 * 0.05 / SIMULATIONS)
    with capsys.disabled():
        print(
            f"\nthe true F1 lies in the 95 % interval of drawn items in {share[How.DRAWN]:.1%} of {SIMULATIONS}", end=""
        )
        print(f" campaigns (± {error:.1%} by chance), of chosen items in {share[How.UNCERTAIN]:.1%} (simulated)")
    assert abs(share[How.DRAWN] - scoring.CONFIDENCE) <= 2.58 * error / 1.96
    assert share[How.UNCERTAIN] < 0.5


def test_a_campaign_ends_when_nothing_is_gained(capsys: pytest.CaptureFixture[str]) -> None:
    """In each of 6 archives the rule stops before half of everything is reviewed, and little was left to gain."""
    settings, rows = simulated.params(least_gain=0.005, patience=3), []
    assert settings.campaign
    for seed in range(6):
        of = simulated.world(seed)
        held = of.of(Arm.TEST)
        points: list[Point] = []
        for end in simulated.campaign(of, settings, active=True, rounds=ROUNDS):
            points.append(point(of, len(points) + 1, end))
            if stopping.over(points, settings.campaign, settings.gate.least_documents, room=9, left=9):
                break
        whole, reached = of.f1(of.taught(of.items), held), of.f1(end.model, held)
        rows.append(f"{seed:4} {len(points):6} {end.learned:9} of {len(of.items)} {reached:10.3f} {whole:10.3f}")
        assert end.learned < len(of.items) / 2
        assert reached > ENOUGH * whole
    with capsys.disabled():
        print("\nseed  round  reviewed          F1 there  F1 of all   (simulated)", *rows, sep="\n")


def two_rounds(of: World, settings: simulated.Params) -> tuple[list[Round], simulated.learner.Tagger]:
    """The first round, the model that learned it, and the round that this model chose."""
    first = choice.choose(of.items.values(), set(), {}, settings, simulated.BATCH)
    picked = {pick.item for pick in first}
    model = of.taught(picked)
    second = choice.choose(of.items.values(), picked, simulated.certainty(of, model, picked), settings, simulated.BATCH)
    return [Round(number=at, at=NOW, run=None, picks=picks) for at, picks in enumerate((first, second), 1)], model


def judged(of: World, rounds: list[Round], how: How) -> list[Question]:
    """What the product judges the first model on; for `uncertain` ones: as if those were the random arm."""
    picks = [pick.model_copy(update={"how": How.DRAWN}) for pick in rounds[1].picks if pick.how is how]
    asked = [rounds[0], rounds[1].model_copy(update={"picks": picks})]
    learned = {of.items[pick.item].document for pick in rounds[0].picks if pick.how is not How.HELD_OUT}
    said = {pick.item: review(of, pick.item) for pick in picks}
    return unlearned(asked, 1, learned, of.items, said)


def review(of: World, name: str) -> Review:
    """What somebody says who knows."""
    return Review(
        item=name, task=1, annotation=1, reviewer=1, spans=of.truth[name], shown=None, model=None, skipped=False,
        lead_time_s=9.0, at=NOW,
    )  # fmt: skip


def point(of: World, number: int, step: simulated.Step) -> Point:
    """What the product would write down."""
    found = of.counts(step.model, of.of(Arm.TEST))
    return Point(
        round=number, run=str(number), learned=step.learned, minutes=0, test_set="v001",
        held_out=scoring.scores(found, simulated.LABELS)["all"], held_out_documents=len(found), drawn=None,
        drawn_documents=0,
    )  # fmt: skip
