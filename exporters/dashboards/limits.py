"""Where alerts fire → the coloured steps of panels: a person sees a line where a page would come from."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import Threshold

GREEN, ORANGE, RED, NEUTRAL = "green", "orange", "red", "text"


@dataclass(frozen=True)
class Limit:
    """A number in the metric's base unit. `above`: it is bad to be there or higher; otherwise there or lower."""

    value: float
    alert: str
    above: bool = True
    colour: str = RED

    def steps(self) -> list[Threshold]:
        """Two colours: fine, and where the alert fires."""
        fine, bad = (GREEN, self.colour) if self.above else (self.colour, GREEN)
        return [Threshold(color=fine), Threshold(value=self.value, color=bad)]


NOTHING_YET = [Threshold(color=NEUTRAL)]
"""No alert has a number for it: no colour pretends that there is one."""

ANY = [Threshold(color=GREEN), Threshold(value=1, color=RED)]
"""Things that should not be there at all: one is one too many."""

ALL_WELL = [Threshold(color=RED), Threshold(value=1, color=GREEN)]
"""Answers yes or no, where yes is well."""
