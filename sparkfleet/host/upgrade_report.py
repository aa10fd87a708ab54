"""A run of an upgrade → what became of each host, and how to go on: rows for a table, JSON, one HTML page. Pure."""

from __future__ import annotations

import datetime as dt  # noqa: TC003  (the template calls its methods)
from typing import TYPE_CHECKING, Any, NamedTuple

from sparkfleet import report
from sparkfleet.host.upgrade import Step

if TYPE_CHECKING:
    from sparkfleet.host.upgrade import Host, Run

TONES = {"stopped here": "bad", "left out": "warn", "under way": "warn", "untouched": "quiet", "done": "good"}


class Row(NamedTuple):
    """One host as people see it."""

    ring: str
    host: str
    state: str
    packages: str
    boot: str
    words: str


def state(host: Host) -> str:
    """In two words at most; the keys of TONES."""
    if host.skipped:
        return "left out"
    if host.why:
        return "stopped here"
    if host.through:
        return "done"
    return "untouched" if host.next == Step.CHECK else "under way"


def rows(run: Run) -> list[Row]:
    """Every host of the run, ring by ring."""
    found = []
    for ring in run.rings:
        for host in map(run.host, ring.hosts):
            boots = f"{host.boot_before[:8]} → {host.boot_after[:8]}" if host.boot_after else ""
            count = len(host.packages)
            changed = f"{count} package{'' if count == 1 else 's'}" if run.kind == "upgrade" and host.touched else ""
            found.append(Row(ring.name, host.name, state(host), changed, boots, host.why or "; ".join(host.notes)))
    return found


def way_on(run: Run) -> list[str]:
    """What the owner can do now, in order; empty when nothing is left."""
    if host := run.stopped:
        resume = f"`spark {run.kind} --resume"
        words = [host.way_on.rstrip("."), f"then {resume}` tries {host.name} again where it stopped, and goes on"]
        if run.untouched:
            words.append(f"or {resume} --skip {host.name}` leaves it as it is, and goes on with the others")
        if _drained(host):
            words.append(f"stopped on {host.name} until then: {', '.join(host.served)}")
        return [word for word in words if word]
    if not run.finished:
        return [f"`spark {run.kind} --resume` goes on"]
    left = [host.name for host in run.hosts if host.skipped]
    return [f"{', '.join(left)} left out: `spark {run.kind} {' '.join(left)}` once mended"] if left else []


def summary(run: Run) -> str:
    """One sentence for headings."""
    through = sum(host.through and not host.skipped for host in run.hosts)
    told = f"{through} of {len(run.hosts)} hosts done"
    if run.stopped:
        untouched = run.untouched
        return f"stopped at {run.stopped.name}: {told}, untouched: {', '.join(untouched) or 'none'}"
    return told if run.finished else f"{told}, {len(run.untouched)} to go"


def document(run: Run) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "fleet": run.fleet,
        "kind": run.kind,
        "run": run.id,
        "began": run.began,
        "finished": run.finished,
        "summary": summary(run),
        "stopped_at": run.stopped.name if run.stopped else None,
        "why": run.stopped.why if run.stopped else "",
        "way_on": way_on(run),
        "untouched": run.untouched,
        "rings": [{"name": ring.name, "hosts": list(ring.hosts)} for ring in run.rings],
        "hosts": [{"state": state(host), **host.model_dump(mode="json")} for host in run.hosts],
    }


def page(run: Run, when: dt.datetime) -> str:
    """One self-contained HTML page."""
    return report.render(
        "upgrade.html.j2",
        title=f"{run.fleet}: spark {run.kind}, {when:%Y-%m-%d %H:%M} UTC",
        run=run,
        when=when,
        rows=rows(run),
        tones=TONES,
        summary=summary(run),
        way_on=way_on(run),
        stopped=run.stopped,
    )


def _drained(host: Host) -> bool:
    return bool(host.served) and host.next not in {Step.CHECK, Step.DRAIN, Step.VERIFY, Step.SETTLE, Step.DONE}
