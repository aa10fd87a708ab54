"""A fleet's status → a table for a terminal. Pure: it returns what rich prints.

Names that other programs chose are rich Text, never markup.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sparkfleet.monitoring import words
from sparkfleet.monitoring.status import SIMULATED, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparkfleet.monitoring.prometheus import Alert
    from sparkfleet.monitoring.status import FleetStatus, Gpu, Host

STATE_STYLES = {State.UP: "green", State.UNWATCHED: "dim", State.UNKNOWN: "yellow", State.STALE: "yellow"}
BROKEN = "bold red"
GPU_STYLES = {"ok": "green", "stuck": BROKEN}  # the others slow the GPU down: yellow
SEVERITY_STYLES = {"page": BROKEN, "ticket": "yellow", "info": "cyan"}
OLD = "bright_black"
NEAR_CRITICAL_CELSIUS = 12.0  # 93 of 104.85, where NVCheckup's rule and Gb10Hot begin
# In the order in which a narrow terminal loses them, last first: heading, least width.
COLUMNS = {
    "host": 8, "state": 5, "alerts": 12, "age": 5, "util": 5, "hottest": 18, "memory": 26, "gpu state": 9,
    "gpu": 6, "power": 6, "clock": 8, "held by": 16,
}  # fmt: skip
SHOWN_ORDER = (
    "host", "state", "gpu state", "util", "hottest", "gpu", "power", "clock", "memory", "held by", "alerts", "age",
)  # fmt: skip
NUMBERS = {"util", "gpu", "power", "clock", "age"}


def show(status: FleetStatus, width: int, source: str) -> Group:
    """The table, alerts that belong to no host, and what one has to know to read it."""
    rows = [
        row
        for host in status.hosts
        for row in _rows(host, evaluated=bool(status.rules) and host.state is not State.UNWATCHED)
    ]
    chosen, lost = _chosen(rows, width)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")
    for name in chosen:
        table.add_column(name.upper(), justify="right" if name in NUMBERS else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in chosen))
    return Group(table, Text(), *_footer(status, source, lost))


def _chosen(rows: Sequence[dict[str, Text]], width: int) -> tuple[list[str], list[str]]:
    """The columns that fit, and those that do not."""
    left, chosen = width, set()
    for name in COLUMNS:
        needed = max(len(name), *(row[name].cell_len for row in rows)) + 2
        if needed > left and name != "host":
            break
        left -= needed
        chosen.add(name)
    return [n for n in SHOWN_ORDER if n in chosen], [n for n in SHOWN_ORDER if n not in chosen]


def _rows(host: Host, *, evaluated: bool) -> list[dict[str, Text]]:
    """One line a host, and one more for each further GPU."""
    first, *more = host.gpus or (None,)
    blank = dict.fromkeys(COLUMNS, Text())
    rows = [_of_host(host, evaluated=evaluated) | _of_gpu(host, first)]
    return rows + [
        blank | {"host": Text(f"  gpu {words.harmless(gpu.gpu)}", "dim")} | _of_gpu(host, gpu) for gpu in more if gpu
    ]


def _of_host(host: Host, *, evaluated: bool) -> dict[str, Text]:
    fresh = _ink(host)
    state = str(host.state) + (f" {words.duration(host.stuck_s)}" if host.stuck_s else "")
    return {
        "host": Text(host.host, "bold"),
        "state": Text(state, STATE_STYLES.get(host.state, BROKEN)),
        "hottest": _hottest(host),
        "memory": fresh(words.memory(host)),
        "alerts": alerts(host.alerts, evaluated=evaluated),
        "age": Text(words.duration(host.age_s), OLD if host.stale else ""),
    }


def _of_gpu(host: Host, gpu: Gpu | None) -> dict[str, Text]:
    fresh = _ink(host)
    if gpu is None:
        return {name: fresh(words.UNKNOWN) for name in ("gpu state", "util", "gpu", "power", "clock", "held by")}
    said = words.harmless(gpu.state or words.UNKNOWN)
    state = Text(said, GPU_STYLES.get(gpu.state, "yellow") if gpu.state else "")
    return {
        "gpu state": fresh(said) if host.stale else state,
        "util": fresh(words.percent(gpu.utilization_ratio)),
        "gpu": fresh(words.celsius(gpu.temperature_celsius)),
        "power": fresh(words.watts(gpu.power_watts)),
        "clock": fresh(words.hertz(gpu.sm_clock_hertz)),
        "held by": fresh(words.holder(gpu)),
    }


def _ink(host: Host) -> Callable[[str], Text]:
    """Old values are grey, whatever they say."""
    return lambda text: Text(text, OLD if host.stale else "")


def _hottest(host: Host) -> Text:
    text, zone = words.hottest(host), host.hottest
    if host.stale or zone is None or zone.distance_celsius is None:
        return _ink(host)(text)
    return Text(text, BROKEN if zone.distance_celsius <= NEAR_CRITICAL_CELSIUS else "")


def alerts(found: Sequence[Alert], *, evaluated: bool) -> Text:
    """Firing ones by severity, each once with its number; pending ones are only counted.

    Without any it is `none` only where rules are evaluated; a dash where nobody knows.
    """
    firing = Counter((a.name, a.labels.get("severity", "")) for a in found if a.state == "firing")
    text = Text()
    for (name, severity), count in firing.items():
        times = f" x{count}" if count > 1 else ""
        text.append(", " if text else "").append(words.harmless(name) + times, SEVERITY_STYLES.get(severity, "yellow"))
    if pending := sum(a.state != "firing" for a in found):
        text.append(", " if text else "").append(f"{pending} pending", "dim")
    return text or Text("none" if evaluated else words.UNKNOWN, "dim")


def _footer(status: FleetStatus, source: str, lost: list[str]) -> list[Text]:
    lines = []
    if status.alerts:
        lines.append(Text("of no host: ").append(alerts(status.alerts, evaluated=True)))
    if status.rules == 0:
        lines.append(Text("This Prometheus evaluates no alerting rules: no alert here does not mean that all is well."))
    simulated = [host.host for host in status.hosts if host.label == SIMULATED]
    if simulated:
        which = "all of it" if len(simulated) == len(status.hosts) else ", ".join(simulated)
        lines.append(Text(f"simulated: {which}", "yellow"))
    if any(host.stale and host.age_s is not None for host in status.hosts):
        lines.append(Text("Grey values are what a silent host said last; AGE says when.", OLD))
    if lost:
        lines.append(Text(f"A wider terminal shows more: {', '.join(lost)}.", "dim"))
    lines.append(Text(f"{status.fleet}: Prometheus {source}", "dim"))
    return lines
