"""The description of the label loop's runs that come by themselves, typed: of what, when, and for whom they wait."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from sparkfleet.forms import Described, Duration, HostName, HostPath, matching

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S = 86400
_DAY = f"({'|'.join(WEEK)})"
MOMENT = re.compile(rf"(?:(?P<days>{_DAY}(?:,{_DAY})*) )?(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)")

Moment = Annotated[str, matching(MOMENT, 'a time such as "01:30", "Sun 03:00" or "Mon,Thu 22:15"')]
# As project.toml has it (workloads/label/params.py): it becomes a part of the units' names.
Project = Annotated[str, matching(r"[a-z][a-z0-9-]{0,39}", "a project's name: lower-case letters, digits and hyphens")]
Pattern = Annotated[str, matching(r"[A-Za-z0-9@:._*-]+", 'a unit, or a pattern of units, such as "vllm@*.service"')]


@dataclass(frozen=True)
class When:
    """A Moment, read: days of the week (Monday is 0, ascending), hour and minute of the host's own time zone."""

    days: tuple[int, ...]
    hour: int
    minute: int

    @property
    def calendar(self) -> str:
        """The same for OnCalendar, systemd.time(7)."""
        days = "" if len(self.days) == len(WEEK) else ",".join(WEEK[day] for day in self.days) + " "
        return f"{days}*-*-* {self.hour:02}:{self.minute:02}:00"

    @property
    def longest_s(self) -> int:
        """The longest time from one such moment to the next, in seconds; an hour more where the clocks change."""
        return max(later - day for day, later in pairwise((*self.days, self.days[0] + len(WEEK)))) * DAY_S


def when(moment: str) -> When:
    """Read a valid Moment."""
    found = MOMENT.fullmatch(moment)
    assert found, moment  # noqa: S101  (its form was checked with the description)
    named = found["days"].split(",") if found["days"] else WEEK
    return When(tuple(sorted({WEEK.index(day) for day in named})), int(found["hour"]), int(found["minute"]))


class Runs(Described):
    """One project: what is done by itself, on the one host whose workspace has it."""

    host: HostName = Field(description="where it runs; its role is label")
    folder: HostPath = Field(description="on that host, with project.toml, which names the project as here")
    prepare: Moment | None = Field(
        default="01:30", description="documents become items, reviews are collected; null: never by itself"
    )
    learn: Moment | None = Field(
        default="Sun 03:00", description="reviews become a model that serves, if it is better; null: never by itself"
    )


class Recurring(Described):
    """The label loop's runs that come by themselves, one at a time on each host."""

    spread: Duration = Field(default="15m", description="each begins up to so much later, by chance")
    patience: Duration = Field(default="6h", description="how long a run waits for people before it is left out")
    quiet: Duration = Field(default="5m", description="how long nobody else must have used the GPU before it goes on")
    beside: list[Pattern] = Field(
        default_factory=list, description="units that hold the GPU for good and are not waited for: vllm@*.service"
    )
    projects: dict[Project, Runs] = Field(default_factory=dict, description="by name")
