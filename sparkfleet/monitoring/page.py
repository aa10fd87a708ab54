"""A fleet's status and history → the page that `spark status --html` writes."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from sparkfleet import report
from sparkfleet.monitoring import words
from sparkfleet.monitoring.status import MEASURED, SIMULATED, State

if TYPE_CHECKING:
    from markupsafe import Markup

    from sparkfleet.monitoring.history import History
    from sparkfleet.monitoring.status import FleetStatus, Host

TONES = {State.UP: "good", State.UNWATCHED: "quiet", State.UNKNOWN: "warn", State.STALE: "warn"}  # the others: bad
SEVERITY_TONES = {"page": "bad", "ticket": "warn", "info": "quiet"}


def page(status: FleetStatus, history: History, source: str) -> str:
    """One self-contained HTML page; the same for the same answers."""
    when = dt.datetime.fromtimestamp(status.now_s, dt.UTC)
    firing = [(host.host, alert) for host in status.hosts for alert in host.alerts if alert.state == "firing"]
    firing += [("", alert) for alert in status.alerts if alert.state == "firing"]
    return report.render(
        "fleet.html.j2",
        title=f"{status.fleet}: {len(status.hosts)} hosts, {when:%Y-%m-%d %H:%M} UTC",
        status=status,
        when=when,
        history=history,
        source=source,
        words=words,
        firing=firing,
        pending=sum(a.state != "firing" for host in status.hosts for a in host.alerts),
        states={host.host: (TONES.get(host.state, "bad"), state(host)) for host in status.hosts},
        tones=SEVERITY_TONES,
        label=truth(status),
        plots={host.host: drawings(history, host.host) for host in status.hosts},
    )


def truth(status: FleetStatus) -> str:
    """Where the values come from: simulated, measured, both, or not known."""
    labels = {host.label for host in status.hosts if host.label}
    return f"{SIMULATED} and {MEASURED}" if len(labels) > 1 else labels.pop() if labels else "no data yet"


def state(host: Host) -> str:
    """`NVML stuck for 4 min`."""
    return str(host.state) + (f" for {words.duration(host.stuck_s)}" if host.stuck_s else "")


def drawings(history: History, host: str) -> list[tuple[str, Markup]]:
    """Title and SVG of the host's plots; none where nothing is known, and matplotlib is not even loaded then."""
    plots = history.plots.get(host, ())
    if not any(math.isfinite(y) for plot in plots for line in plot.lines for _, y in line.points):
        return []
    from sparkfleet.monitoring.plots import svg

    return [(plot.title, report.drawing(svg(plot, history, host))) for plot in plots]
