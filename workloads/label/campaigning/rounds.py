"""What a campaign has done so far, typed: its rounds, and what the models are worth that were made meanwhile."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workloads.label.records import Count, Record, Score, Share

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDS, POINTS = "campaign/rounds.jsonl", "campaign/points.jsonl"


class How(StrEnum):
    """Why an item is in a round."""

    UNCERTAIN = "uncertain"  # assisted items: the model is least sure of them, and they are unlike all before
    DRAWN = "drawn"  # control items, by chance: the random arm
    HELD_OUT = "held out"  # test items, by chance


class Pick(Record):
    """An item of a round."""

    item: str
    how: How
    certainty: Share | None = None  # of the model that chose; None: by chance, or there was no model


class Round(Record):
    """What people get at a time. Written before any of it is published, so that a killed publish goes on with it."""

    number: Annotated[int, Field(ge=1)]
    at: dt.datetime
    run: str | None  # of the candidate that chose; None: there was none
    picks: list[Pick]


class Point(Record):
    """What the model is worth that was made when so many rounds were reviewed."""

    round: Count  # the last one that it learned from; 0: the model that there was before
    run: str  # of the candidate
    learned: Count  # reviewed items, all of them
    minutes: Annotated[float, Field(ge=0)]  # of people's time, this round and all before
    test_set: str | None
    held_out: Score | None  # on the newest test set
    held_out_documents: Count
    drawn: Score | None  # on drawn items of later rounds: one of each document, none of which it learned from
    drawn_documents: Count


def picked(rounds: Iterable[Round]) -> dict[str, int]:
    """Item → the round that it is of."""
    return {pick.item: each.number for each in rounds for pick in each.picks}
