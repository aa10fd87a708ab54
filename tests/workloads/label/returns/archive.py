"""A made-up project of four months, the same each time: what a workspace would know of it.

60 items reviewed before there is a model, then two models, people who are twice as fast with them, some skipped
items, some lead times over lunch, some that nobody told, two people on some items; a backlog that is left.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random

from workloads.label.learning.examples import Learned, reviewed
from workloads.label.params import Params
from workloads.label.records import (
    Arm,
    Document,
    Evaluation,
    Item,
    Promotion,
    PromotionEnd,
    Published,
    Review,
    Score,
    Span,
)
from workloads.label.returns.figures import Known

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
BEGAN = NOW - dt.timedelta(days=110)
DOCUMENTS, PARTS = 400, 2
ARMS = [Arm.TEST] * 15 + [Arm.CONTROL] * 5 + [Arm.ASSISTED] * 80
FIRST, SECOND = 30, 80  # days until the models serve
LEARNED_UNTIL = BEGAN + dt.timedelta(days=SECOND) - dt.timedelta(hours=1)
BLANK_S, ASSISTED_S = 60.0, 30.0


def params(**roi: object) -> Params:
    """Its owner's decisions."""
    told = {"hourly_cost": 45.0} | roi
    return Params.model_validate(
        {"name": "contracts", "labels": ["PARTY", "DATE"], "source": {"dataset": "contracts"}, "roi": told}
    )


def item(number: int, arm: Arm = Arm.ASSISTED, document: int | None = None, *, synthetic: bool = False) -> Item:
    """An item with a number, of a document with a number."""
    return Item(
        id=f"{number:016x}",
        document=sha(document if document is not None else number),
        part=0,
        start=0,
        text=f"Ada Lovelace, 1843-10-18, {number}",
        arm=arm,
        synthetic=synthetic,
    )


def review(of: Item, at: dt.datetime, lead_s: float | None = 40.0, **more: object) -> Review:
    """What somebody made of it, one span, in the plainest case."""
    told = {"task": 1, "annotation": 1, "reviewer": 1, "skipped": False, "shown": None, "model": None}
    return Review.model_validate({"spans": [span(0)], **told, **more, "item": of.id, "at": at, "lead_time_s": lead_s})


def span(start: int) -> Span:
    """Twelve characters from there."""
    return Span(start=start, end=start + 12, label="PARTY")


def sha(number: int) -> str:
    """A digest, one a number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def promotion(version: int, first_review_at: dt.datetime | None, ended_at: dt.datetime, **more: object) -> Promotion:
    """One that went well, of a run that began an hour before."""
    began = ended_at - dt.timedelta(hours=1)
    told = {"run": f"{began:%Y%m%dT%H%M%SZ}-00{version:02x}", "model": "contracts", "before": None, "detail": "",
            "end": PromotionEnd.SERVING, "began_at": began}  # fmt: skip
    return Promotion.model_validate(
        {**told, **more, "version": version, "first_review_at": first_review_at, "ended_at": ended_at}
    )


def evaluation(precision: float = 0.8) -> Evaluation:
    """Of the second model."""
    score = Score(precision=precision, recall=0.7, f1=0.75, low=0.7, high=0.8, entities=300)
    return Evaluation(
        run="x", serving=None, test_set="v002", items=120, documents=60, candidate={"all": score}, incumbent=None,
        difference=None, difference_low=None, confidence=0.98, latency_ms=12.0, at=NOW,
    )  # fmt: skip


def learned(items: list[Item], reviews: list[Review]) -> list[Learned]:
    """What a model was made of that all of these went into."""
    return [Learned(item=one.item, digest=one.digest, at=one.at, apart=False) for one in reviewed(items, reviews)]


def known() -> Known:
    """Everything of it."""
    chance = random.Random(7)  # noqa: S311  the same project each time
    came = [BEGAN + dt.timedelta(days=number / 4) for number in range(DOCUMENTS)]
    items = [
        item(number * PARTS + part, ARMS[number % len(ARMS)], number)
        for number in range(DOCUMENTS)
        for part in range(PARTS)
    ]
    chance.shuffle(items)
    reviews: list[Review] = []
    day = 0.0
    for one in items[:600]:
        day += 110 / 600
        model = None if day < FIRST else "contracts:1" if day < SECOND else "contracts:2"
        helped = model is not None and one.arm is Arm.ASSISTED
        for reviewer in (1, 2) if chance.random() < 0.05 else (chance.randint(1, 3),):
            lead_s: float | None = chance.lognormvariate(0, 0.5) * (ASSISTED_S if helped else BLANK_S)
            lead_s = None if chance.random() < 0.05 else 4000.0 if chance.random() < 0.02 else lead_s
            suggested = [span(0), span(12)] if helped else None
            left = [span(0)] if chance.random() < 0.3 else [span(0), span(12)]
            reviews.append(
                review(one, BEGAN + dt.timedelta(days=day - 0.1), lead_s, reviewer=reviewer, annotation=len(reviews),
                       skipped=chance.random() < 0.03, shown=suggested, spans=left, model=model if helped else None)
            )  # fmt: skip
    first, second = BEGAN + dt.timedelta(days=FIRST), BEGAN + dt.timedelta(days=SECOND)
    return Known(
        documents=[
            Document(id=sha(number), path=f"{number}.pdf", size_bytes=1, source="contracts@v1", fetched_at=when)
            for number, when in enumerate(came)
        ],
        converted=DOCUMENTS - 12,
        quarantined=4,
        items=items,
        published=[
            Published(item=one.id, task=number, arm=one.arm, prediction=None, at=NOW)
            for number, one in enumerate(items[:650])
        ],
        reviews=reviews,
        promotions=[
            promotion(1, reviews[0].at, first),
            promotion(2, first + dt.timedelta(hours=2), second),
            promotion(3, second, second + dt.timedelta(days=3), end=PromotionEnd.ROLLED_BACK, before=2),
        ],
        evaluation=evaluation(),
        learned=learned(items, [one for one in reviews if one.at <= LEARNED_UNTIL]),
    )
