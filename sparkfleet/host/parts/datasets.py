"""Fleet, host → what the role datasets wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.host.parts import RUNNING, Parts
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


def datasets(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The timer that has `spark-node datasets sync` run; its configuration and units are templates."""
    return Parts(units={"sparkfleet-datasets.timer": RUNNING})


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks are told; empty on a host without the role."""
    if Role.DATASETS not in fleet.hosts[name].all_roles:
        return {}
    return {"folder": str(fleet.datasets.folder), "interval_s": fleet.datasets.interval_s}
