"""Running contenders → how long scrapes take, and what being scraped costs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.exporters import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.exporters.contenders import Contender

PAUSE_S = 0.02  # between two scrapes of anybody: longer than what anybody may keep an answer for


@dataclass(frozen=True)
class Latency:
    """Of many scrapes, in milliseconds."""

    scrapes: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    series: int


@dataclass(frozen=True)
class Cost:
    """Of being scraped at one pace, one NVML sample a second."""

    cpu_percent: float  # of one core
    rss_mib: float
    private_mib: float
    processes: int


def latencies(contenders: Sequence[Contender], rounds: int) -> dict[str, Latency]:
    """Everybody in turn, so that what else the machine does falls on all alike."""
    took: dict[str, list[float]] = {one.name: [] for one in contenders}
    text = ""
    series = {}
    for _ in range(rounds):
        for one in contenders:
            seconds, text = one.scrape()
            took[one.name].append(seconds)
            series[one.name] = sum(not line.startswith("#") for line in text.splitlines())
            time.sleep(PAUSE_S)
    return {name: latency(values, series[name]) for name, values in took.items()}


def latency(seconds: Sequence[float], series: int) -> Latency:
    """The middle and the tail of some scrapes."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return Latency(len(seconds), 1e3 * cuts[49], 1e3 * cuts[98], 1e3 * max(seconds), series)


def costs(contenders: Sequence[Contender], seconds: int, every_s: int = 1) -> dict[str, Cost]:
    """Scrape everybody each `every_s`; processor time of each process tree over that time, memory at its end."""
    before = {one.name: tree.use(one.process.pid).cpu_s for one in contenders}
    begin = time.monotonic()
    for second in range(0, seconds, every_s):
        for one in contenders:
            one.scrape()
        time.sleep(max(0.0, begin + second + every_s - time.monotonic()))
    wall = time.monotonic() - begin
    found = {}
    for one in contenders:
        now = tree.use(one.process.pid)
        spent = now.cpu_s - before[one.name]
        found[one.name] = Cost(100 * spent / wall, now.rss_mib, now.private_mib, now.processes)
    return found
