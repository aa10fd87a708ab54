"""Fleet, host → the label loop's runs that come by themselves there: their timers, and what `spark-node` is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.fitness.recurring import when
from sparkfleet.forms import seconds

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

KINDS = ("prepare", "learn")


def runs(fleet: Fleet, name: str) -> dict[str, dict[str, Any]]:
    """By name, contracts-prepare: what is run, and when; of the projects that are described for this host."""
    return {
        f"{project}-{kind}": {
            "project": project,
            "folder": str(wanted.folder),
            "kind": kind,
            "days": list(when(moment).days),
            "hour": when(moment).hour,
            "minute": when(moment).minute,
            "calendar": when(moment).calendar,
            "longest_s": when(moment).longest_s,
        }
        for project, wanted in sorted(fleet.label.recurring.projects.items())
        for kind in KINDS
        if wanted.host == name and (moment := getattr(wanted, kind))
    }


def timers(fleet: Fleet, name: str) -> dict[str, dict[str, Any]]:
    """The same by the units that wake them."""
    return {f"sparkfleet-label@{run}.timer": wanted for run, wanted in runs(fleet, name).items()}


def told(fleet: Fleet, name: str) -> dict[str, Any]:
    """The section `recurring` of label.json, as workloads/label/recurring/described.py reads it; times in seconds."""
    wanted = fleet.label.recurring
    return {
        "spread_s": seconds(wanted.spread),
        "patience_s": seconds(wanted.patience),
        "quiet_s": seconds(wanted.quiet),
        "beside": wanted.beside,
        "runs": {run: {k: v for k, v in each.items() if k != "calendar"} for run, each in runs(fleet, name).items()},
    }
