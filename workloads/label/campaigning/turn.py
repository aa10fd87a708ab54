"""A project with [campaign] → what publish may send now: what is left of this round, the next round, or nothing more.

A round is over when at most a tenth of it waits for people. The next one is chosen by the newest candidate, which may
be younger than what serves: the gate asks whether people should see a model, not whether it knows what it does not.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.campaigning import choice, curve, spending, state
from workloads.label.campaigning.rounds import ROUNDS, Round, picked
from workloads.label.learning import candidates
from workloads.label.learning.model import Model
from workloads.label.records import Arm, Item, Prediction
from workloads.label.reviewing.order import drawn

if TYPE_CHECKING:
    from collections.abc import Collection

    from workloads.label.campaigning.rounds import Pick
    from workloads.label.learning.candidates import Candidate
    from workloads.label.stages import Context

POOL = 100  # rounds' worth of items are looked at, drawn anew each round: an archive of a million would take hours
AT_ONCE = 256  # items; as preannotate has it


@dataclass(frozen=True)
class Due:
    """What may be published, and what is told of it."""

    items: frozenset[str]
    told: str


def due(context: Context) -> Due:
    """Begin the next round if it is time. Raises DamagedError, and what the candidates' models raise."""
    found, picks, run = planned(context)
    if found.over:
        return Due(frozenset(), f"over: {found.over}")
    rounds = found.rounds
    if picks:
        rounds = [*rounds, Round(number=len(rounds) + 1, at=dt.datetime.now(dt.UTC), run=run, picks=picks)]
        context.work.append(ROUNDS, rounds[-1:])
    told = f"round {len(rounds)}, {len(rounds[-1].picks)} items" if rounds else "what was published before waits"
    return Due(frozenset(picked(rounds)), told)


def planned(context: Context) -> tuple[state.State, list[Pick], str | None]:
    """How it stands, the next round's picks (none while this one is not over), and the candidate that chose them."""
    work, params = context.work, context.params
    found = state.look(work, params)
    points = curve.points(context, found.rounds, found.items, found.spent)
    found = found.with_points(points, params)
    assert params.campaign  # noqa: S101  (whoever asks has one)
    if found.over or found.busy:
        return found, [], None
    size = min(params.campaign.batch, spending.room(found.spent, params.campaign, len(found.waiting)))
    newest = candidates.newest(work)
    certain = certainty(context, newest, found) if newest and newest.here else {}
    picks = choice.choose(found.items.values(), found.published, certain, params, size)
    return found, picks, newest.run if newest else None


def certainty(context: Context, newest: Candidate, found: state.State) -> dict[str, float]:
    """How sure the candidate is of the pool, as far as it is looked at; what preannotate asked is not asked again."""
    assert context.params.campaign  # noqa: S101  (whoever asks has one)
    left = [each for each in found.items.values() if each.arm is Arm.ASSISTED and each.id not in found.published]
    left = sample(left, POOL * context.params.campaign.batch, len(found.rounds))
    told = {
        each.item: each.certainty for each in context.work.read(Prediction, "predictions.jsonl")
        if each.run == newest.run
    }  # fmt: skip
    unknown = sorted((each for each in left if each.id not in told), key=lambda item: len(item.text))
    settings = context.params.preannotate
    if unknown:
        model = Model(newest.folder, settings.overlap_tokens)
        for start in range(0, len(unknown), AT_ONCE):
            some = unknown[start : start + AT_ONCE]
            said = model.say([item.text for item in some], settings.batch)
            told |= {item.id: each.certainty for item, each in zip(some, said, strict=True)}
            context.tell(start + len(some), len(unknown), "items looked at")
    # What was not looked at comes behind all others.
    return dict.fromkeys(found.items, 1.0) | {each.id: told[each.id] for each in left}


def sample(items: Collection[Item], most: int, number: int) -> list[Item]:
    """Pure: at most so many, by chance, others each round."""
    return sorted(items, key=lambda item: drawn(item, f"pool {number}"))[:most]
