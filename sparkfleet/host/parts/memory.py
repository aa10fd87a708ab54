"""Fleet, host → what the role memory wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


def memory(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Nothing yet."""
    return Parts()
