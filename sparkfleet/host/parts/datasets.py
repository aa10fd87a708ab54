"""Fleet, host → what the role datasets wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import RUNNING, Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


def datasets(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The timer that has `spark-node datasets sync` run; its configuration and units are templates."""
    return Parts(units={"sparkfleet-datasets.timer": RUNNING})
