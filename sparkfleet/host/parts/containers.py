"""Fleet, host → what the role containers wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


def containers(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Nothing yet."""
    return Parts()
