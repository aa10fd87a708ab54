"""Fleet, host → what the role connectx wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


def connectx(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Nothing yet."""
    return Parts()
