"""Readings → metric families, one file a subject. Pure: a collector reads nothing itself.

A collector yields what it has, then raises `UnreadableError` for what was there and could not be understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "sparkfleet_gb10"


class UnreadableError(Exception):
    """Something was there and could not be understood. What could be was yielded before."""


def complain(faults: Iterable[str | None]) -> None:
    """Raise UnreadableError when there are faults, naming the first three."""
    told = list(dict.fromkeys(fault for fault in faults if fault))
    if told:
        raise UnreadableError("; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else ""))
