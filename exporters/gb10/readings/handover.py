"""The root oneshot's JSON file (text) → its parts and its errors, while it is young. Pure.

The oneshot is privileged.py; every part may be missing, and whatever is in another form counts as missing.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VALID_S = 300  # ten missed runs: what the file says may no longer be so


@dataclass(frozen=True, slots=True)
class Handover:
    """What the oneshot left. Without a file there is nothing in it, and that is no fault."""

    age_s: float | None = None
    written_at: float | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)  # part → why the oneshot could not read it
    fault: str | None = None  # the whole file is too old, or is not what the oneshot writes

    def part(self, name: str) -> dict[str, Any]:
        """One part, or {}."""
        found = self.parts.get(name)
        return found if isinstance(found, dict) else {}

    def error(self, name: str) -> str | None:
        """Why a part is missing, if the reason is known."""
        return self.fault or self.errors.get(name)


def handover(text: str, boottime_s: float) -> Handover:
    """The file's text at `boottime_s`: CLOCK_BOOTTIME, which no clock step moves."""
    if not text:
        return Handover()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    written_at = as_time(data.get("written_at")) if isinstance(data, dict) else None
    written = as_count(data.get("written_boottime")) if isinstance(data, dict) else None
    if written_at is None or written is None:
        return Handover(fault="the oneshot's file is in no known form")
    age = max(0.0, boottime_s - written)
    if age > VALID_S:
        return Handover(age, written_at, fault=f"the oneshot's file is {age:.0f} seconds old")
    errors = data.get("errors")
    told = {str(name): str(why) for name, why in errors.items()} if isinstance(errors, dict) else {}
    return Handover(age, written_at, data, told)


def as_count(value: object) -> float | None:
    """A number that counts or measures something: 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**64:
        return None
    return float(value)


def as_time(value: object) -> float | None:
    """Seconds since 1970, of this century or the next."""
    seconds = as_count(value)
    return seconds if seconds is not None and math.isfinite(seconds) and 0 < seconds < 2**33 else None
