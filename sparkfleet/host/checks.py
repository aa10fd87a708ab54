"""A host's facts → checks: what is looked at but never changed (driver branch, platform).

Pure. They show in `spark plan` and `spark verify`, never as a difference that cannot be applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.model import Fleet


@dataclass(frozen=True)
class Check:
    """One question about a host. `unknown`: the host does not say, so nothing is claimed."""

    name: str
    verdict: Literal["ok", "differs", "unknown"]
    detail: str


def checks(fleet: Fleet, facts: Mapping[str, str]) -> list[Check]:
    """What the facts of one host say about what sparkfleet never changes."""
    return [_driver(fleet.gpu.driver.branch, facts.get("driver")), _platform(facts)]


def _driver(branch: str, driver: str | None) -> Check:
    if driver is None:
        return Check("driver branch", "unknown", f"no NVIDIA driver is loaded; the description expects {branch}")
    if driver.split(".")[0] == branch:
        return Check("driver branch", "ok", f"{driver} is of branch {branch}")
    return Check(
        "driver branch",
        "differs",
        f"{driver}; the description expects {branch}. DGX OS supports one branch: this tool never changes it",
    )


def _platform(facts: Mapping[str, str]) -> Check:
    named = [facts[key] for key in ("board", "dgx_os", "os", "kernel", "machine") if key in facts]
    if "dgx_os" in facts:
        return Check("platform", "ok", f"DGX OS {facts['dgx_os']} on {facts.get('board', 'an unnamed board')}")
    return Check("platform", "unknown", f"no /etc/dgx-release: {', '.join(named)}")
