"""The section `recurring` of label.json, typed; and when each of its runs was due last."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from workloads.label.params import Name, Section


class Kind(StrEnum):
    """What a recurring run is for."""

    PREPARE = "prepare"  # documents become items that people see, and what they did is collected
    LEARN = "learn"  # reviews become a model that serves, if it is better

    @property
    def words(self) -> tuple[str, ...]:
        """The options of `spark-node label run` that make it. Both make the figures of return, at the end."""
        return ("--without-learning",) if self is Kind.PREPARE else ("--from", "collect")


class Described(Section):
    """One run: when it is due, in the machine's own time zone. Monday is 0."""

    project: Name
    folder: Path
    kind: Kind
    days: Annotated[list[Annotated[int, Field(ge=0, le=6)]], Field(min_length=1)]
    hour: Annotated[int, Field(ge=0, le=23)]
    minute: Annotated[int, Field(ge=0, le=59)]
    longest_s: Annotated[float, Field(gt=0)]  # from one time to the next

    @property
    def name(self) -> str:
        """As its timer is called."""
        return f"{self.project}-{self.kind}"

    def last(self, now: dt.datetime) -> dt.datetime:
        """The latest moment up to `now` at which it was due; both with a time zone, the answer in that of `now`."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for back in range(8):
            day = midnight - dt.timedelta(days=back)
            moment = day.replace(hour=self.hour, minute=self.minute)
            if day.weekday() in self.days and moment <= now:
                return moment
        raise AssertionError("a week has every day")  # of a week and a day, one is always there


class Recurring(Section):
    """All of them on this machine, and what they have in common."""

    spread_s: Annotated[float, Field(ge=0)] = 900  # a timer wakes a run up to so much later, by chance
    patience_s: Annotated[float, Field(ge=0)] = 21600  # so long it waits for people
    quiet_s: Annotated[float, Field(ge=0)] = 300  # so long nobody else must have used the GPU
    beside: list[str] = Field(default_factory=list)  # units that hold the GPU for good: patterns
    runs: dict[str, Described] = Field(default_factory=dict)  # by name

    def of(self, project: str) -> list[Described]:
        """Those of one project."""
        return [run for run in self.runs.values() if run.project == project]
