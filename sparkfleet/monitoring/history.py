"""Prometheus' range queries → what plots are drawn of: lines with gaps, and the thresholds of alerts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkfleet.monitoring import words
from sparkfleet.monitoring.decide import EXPORTER_JOB, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sparkfleet.monitoring.prometheus import Prometheus, Rule, Series
    from sparkfleet.monitoring.status import FleetStatus, Host

POINTS = 240  # a plot is some 500 pixels wide
LEAST_SPAN_S = 600.0
LEAST_STEP_S = 5.0
LEAST_RATE_S = 300.0  # a rate needs several scrapes
SEEN_RATIO = 0.005  # a reason that never took more of the time than this is not drawn
NOT_THROTTLING = "sync_boost|gpu_idle"


@dataclass(frozen=True)
class Line:
    """One line: Unix times and values in the plot's unit; a gap is a NaN."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Threshold:
    """A level that means something: where the machine powers off, or where an alert begins."""

    name: str
    value: float
    warns: bool = True  # False: only to compare with


@dataclass(frozen=True)
class Plot:
    """One plot of one host."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    thresholds: tuple[Threshold, ...] = ()
    least: float = 0.0  # where the axis begins
    most: float | None = None  # where the quantity ends; the axis then too


@dataclass(frozen=True)
class History:
    """The plots of every host, all over the same time."""

    start_s: float
    end_s: float
    plots: Mapping[str, tuple[Plot, ...]] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """How long: `the last 2.5 h`."""
        return f"the last {words.duration(self.end_s - self.start_s)}"


@dataclass(frozen=True)
class Drawn:
    """One question, and where its answers are drawn: `by` is the label that names a line of several."""

    subject: str
    name: str
    promql: str
    by: str = ""
    scale: float = 1.0


def drawn(rate_s: float) -> tuple[Drawn, ...]:
    """Every question; `rate_s` is the window of rates."""
    job = f'{{job="{EXPORTER_JOB}"}}'
    memory = {name: f"{PREFIX}memory_{name}_bytes{job}" for name in ("total", "available", "page_cache", "allocatable")}
    zones = "without (zone, type, name)"
    reasons = f'{{job="{EXPORTER_JOB}",reason!~"{NOT_THROTTLING}"}}'
    return (
        Drawn("temperature", "hottest zone", f"max {zones} ({PREFIX}thermal_zone_celsius{job})"),
        Drawn("temperature", "GPU", f"{PREFIX}gpu_temperature_celsius{job}", "gpu"),
        Drawn("power", "GPU", f"{PREFIX}gpu_power_watts{job}", "gpu"),
        Drawn("power", "DC input", f'{PREFIX}power_rail_watts{{job="{EXPORTER_JOB}",rail=~"dc_input.*"}}'),
        Drawn("memory", "used", f"{memory['total']} - {memory['available']}", scale=1 / words.GIB),
        Drawn("memory", "page cache", memory["page_cache"], scale=1 / words.GIB),
        Drawn("memory", "allocatable", memory["allocatable"], scale=1 / words.GIB),
        Drawn("load", "utilisation", f"{PREFIX}gpu_utilization_ratio{job}", "gpu", scale=100.0),
        Drawn(
            "load", "", f"rate({PREFIX}gpu_event_reason_seconds_total{reasons}[{rate_s:.0f}s])", "reason", scale=100.0
        ),
    )


# Subject → title, unit, both ends of the axis.
SUBJECTS: dict[str, tuple[str, str, float, float | None]] = {
    "temperature": ("Temperature", "°C", 20.0, None),
    "power": ("Power", "W", 0.0, None),
    "memory": ("Unified memory", "GiB", 0.0, None),
    "load": ("Utilisation and throttled time", "%", 0.0, 100.0),
}
# What follows the metric: its selector, its range, closing words of functions; then a comparison with a plain number,
# which may be written as a power of two.
COMPARISON = (
    r"(?:\{[^}]*\})?(?:\[[^\]]*\])?[\s)]*([<>])=?\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)(?:\s*\*\s*2\s*\^\s*([0-9]+))?"
)
NO_MORE = r"(?![\s0-9.]*[*/^%+-])"


def read(prometheus: Prometheus, status: FleetStatus, rules: Iterable[Rule], most_s: float) -> History:
    """The last `most_s` seconds, or as much of them as there is; raises PrometheusError."""
    end_s = status.now_s
    oldest = prometheus.query(f'min(min_over_time(timestamp(up{{job="{EXPORTER_JOB}"}})[{most_s:.0f}s:1m]))')
    start_s = max(end_s - most_s, min(oldest[0].value if oldest else end_s, end_s - LEAST_SPAN_S))
    step_s = max(LEAST_STEP_S, (end_s - start_s) / POINTS)
    found = [
        (question, prometheus.query_range(question.promql, start_s, end_s, step_s))
        for question in drawn(max(LEAST_RATE_S, step_s))
    ]
    known = tuple(rules)
    return History(
        start_s,
        end_s,
        {
            host.host: tuple(
                Plot(title, unit, lines(host.host, subject, found, step_s), levels(host, subject, known), least, most)
                for subject, (title, unit, least, most) in SUBJECTS.items()
            )
            for host in status.hosts
        },
    )


def levels(host: Host, subject: str, rules: Sequence[Rule]) -> tuple[Threshold, ...]:
    """Where alerts begin and where the machine ends, in the plot's unit. Pure."""
    if subject == "temperature":
        found = compared(rules, "thermal_zone_celsius", "gpu_temperature_celsius")
        zone = host.hottest
        ends = () if zone is None or zone.critical_celsius is None else (Threshold("power-off", zone.critical_celsius),)
        return (*found, *ends)
    if subject == "power":
        return compared(rules, "gpu_power_watts")
    if subject == "load":
        found = compared(rules, "gpu_event_reason_seconds_total")
        return tuple(Threshold(level.name, round(level.value * 100, 1)) for level in found)
    total = host.memory_total_bytes
    if total is None:
        return ()
    # The rules watch what is left, the plot shows what is used.
    found = compared(rules, "memory_available_bytes", below=True)
    left = (Threshold(level.name, round((total - level.value) / words.GIB, 1)) for level in found)
    return (*left, Threshold("total", round(total / words.GIB, 1), warns=False))


def compared(rules: Sequence[Rule], *metrics: str, below: bool = False) -> tuple[Threshold, ...]:
    """Where alerting rules that compare these metrics with numbers can begin: the number that is reached first. Pure.

    `below`: rules that fire when the metric falls; else when it rises. Other conditions of the rule are not looked at.
    """
    begins: dict[str, float] = {}
    for rule in rules:
        for metric in metrics:
            for sign, number, power in re.findall(rf"\b{PREFIX}{metric}{COMPARISON}{NO_MORE}", rule.query):
                if (sign == "<") == below:
                    first, value = (max if below else min), float(number) * 2 ** int(power or 0)
                    begins[rule.name] = first(value, begins.get(rule.name, value))
    together: dict[float, list[str]] = {}
    for name, value in begins.items():
        together.setdefault(value, []).append(name)
    return tuple(Threshold(", ".join(sorted(names)), value) for value, names in sorted(together.items()))


def lines(host: str, subject: str, found: Sequence[tuple[Drawn, Sequence[Series]]], step_s: float) -> tuple[Line, ...]:
    """The lines of one plot. Pure."""
    drawn_lines = []
    for question, several in found:
        if question.subject != subject:
            continue
        mine = [series for series in several if series.labels.get("instance") == host]
        for series in mine:
            named = series.labels.get(question.by, "") if question.by else ""
            name = (
                question.name if question.name and (len(mine) == 1 or not named) else f"{question.name} {named}".strip()
            )
            points = gaps(series.points, step_s, question.scale)
            if question.by != "reason" or any(y > SEEN_RATIO * question.scale for _, y in points):
                drawn_lines.append(Line(words.harmless(name.replace("_", " ")), points))
    return tuple(drawn_lines)


def gaps(points: Sequence[tuple[float, float]], step_s: float, scale: float = 1.0) -> tuple[tuple[float, float], ...]:
    """The same values, scaled, with a NaN where a step or more is missing or the value is not finite. Pure."""
    whole: list[tuple[float, float]] = []
    for at_s, value in points:
        if whole and at_s - whole[-1][0] > 1.5 * step_s:
            whole.append((at_s - step_s, math.nan))
        whole.append((at_s, value * scale if math.isfinite(value) else math.nan))
    return tuple(whole)
