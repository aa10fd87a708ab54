"""A host's facts → checks: what is looked at but never changed (driver branch, platform, known issues).

Pure. They show in `spark plan` and `spark verify`, never as a difference that cannot be applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sparkfleet.host import align, align_table, driver, known_issues
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from sparkfleet.model import Fleet


@dataclass(frozen=True)
class Check:
    """One question about a host. `unknown`: nobody says, so nothing is claimed; `warn`: somebody should look."""

    name: str
    verdict: Literal["ok", "differs", "warn", "unknown"]
    detail: str


def checks(fleet: Fleet, facts: Mapping[str, str], roles: Container[Role] = ()) -> list[Check]:
    """What the facts of one host with these roles say about what sparkfleet never changes."""
    found = [_driver(fleet.gpu.driver.branch, facts.get("driver")), _platform(facts)]
    return [*found, *_gpu(fleet, facts)] if Role.GPU in roles else found


def _gpu(fleet: Fleet, facts: Mapping[str, str]) -> list[Check]:
    """What is known of the combination that runs, and whether the description asks for what is refused here."""
    issues = known_issues.judge(facts)
    verdicts: dict[str, Literal["differs", "warn", "unknown"]] = {"bad": "differs", "warn": "warn"}
    found = [
        Check(f"known issue {issue.id}", verdicts.get(issue.verdict, "unknown"), f"{issue.what}; {issue.next_step}")
        for issue in issues
    ]
    if not issues:
        found.append(Check("known issues", "ok", f"none: {known_issues.combination(facts)}"))
    if refused := driver.refusal(fleet.gpu, facts):
        found.append(Check("driver.manage", "differs", f"install will be refused: {refused}"))
    return [*found, *_alignment(fleet, facts)]


def _alignment(fleet: Fleet, facts: Mapping[str, str]) -> list[Check]:
    """Whether the loaded driver runs what the described Triton container holds; nothing where none is described."""
    calypso = fleet.calypso
    if not calypso.described:
        return []
    found = align.resolve(align_table.read(), calypso.release, calypso.variant, facts.get("driver", ""))
    verdicts: dict[align.State, Literal["differs", "unknown"]] = {
        align.State.NOT_ALIGNED: "differs",
        align.State.UNKNOWN: "unknown",
    }
    return [Check("alignment", verdicts.get(found.state, "ok"), f"{found.state}: {found.reasons[0]}")]


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
