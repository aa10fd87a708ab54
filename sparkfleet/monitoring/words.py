"""Numbers in base units → what a person reads, with the unit; what is not known is a dash, never 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sparkfleet.text import printable

if TYPE_CHECKING:
    from sparkfleet.monitoring.status import Gpu, Host

UNKNOWN = "\N{EN DASH}"
GIB = 2**30
MOST_CHARACTERS = 60


def percent(ratio: float | None) -> str:
    """0.954 → `95 %`."""
    return UNKNOWN if ratio is None else f"{ratio * 100:.0f} %"


def celsius(value: float | None) -> str:
    """85.0 → `85 °C`."""
    return UNKNOWN if value is None else f"{value:.0f} °C"


def watts(value: float | None) -> str:
    """43.2 → `43 W`, 4.52 → `4.5 W`."""
    return UNKNOWN if value is None else f"{value:.1f} W" if value < 10 else f"{value:.0f} W"


def hertz(value: float | None) -> str:
    """2.489e9 → `2.49 GHz`, 208e6 → `208 MHz`."""
    if value is None:
        return UNKNOWN
    return f"{value / 1e9:.2f} GHz" if value >= 1e9 else f"{value / 1e6:.0f} MHz"


def gib(value: float | None, *, unit: bool = True) -> str:
    """130663165952 → `122 GiB`, 3.1e9 → `2.9 GiB`, 45e6 → `43 MiB`; without a unit where one follows."""
    if value is None:
        return UNKNOWN
    if unit and abs(value) < GIB / 10:
        return f"{value / 2**20:.0f} MiB"
    number = f"{value / GIB:.1f}" if abs(value) < 10 * GIB else f"{value / GIB:.0f}"
    return f"{number} GiB" if unit else number


def duration(seconds: float | None) -> str:
    """3.2 → `3 s`, 250 → `4 min`, 9000 → `2.5 h`, 200000 → `2.3 d`."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    seconds = max(seconds, 0.0)  # two clocks may differ by a little
    for most, unit_s, unit, digits in ((119.5, 1, "s", 0), (7170, 60, "min", 0), (172800, 3600, "h", 1)):
        if seconds < most:
            return f"{seconds / unit_s:.{digits}f} {unit}"
    return f"{seconds / 86400:.1f} d"


def harmless(text: str) -> str:
    """A name that another program chose, fit for a terminal and a page: one short line."""
    return printable(text, MOST_CHARACTERS)


def hottest(host: Host, left: str = "left") -> str:
    """`TSOC 85 °C, 20 left`: left until the machine powers itself off; another word where there is room for it."""
    zone = host.hottest
    if zone is None:
        return UNKNOWN
    distance = "" if zone.distance_celsius is None else f", {zone.distance_celsius:.0f} {left}"
    return f"{harmless(zone.name)} {celsius(zone.celsius)}{distance}"


def memory(host: Host) -> str:
    """`88 of 122 GiB, 50 allocatable`: the last by NVIDIA's formula, swap included."""
    if host.memory_total_bytes is None:
        return UNKNOWN
    used = gib(host.memory_used_bytes, unit=False)
    allocatable = gib(host.memory_allocatable_bytes, unit=False)
    return f"{used} of {gib(host.memory_total_bytes)}, {allocatable} allocatable"


def holder(gpu: Gpu) -> str:
    """`VLLM::EngineCore 68 GiB +2`: the process that holds most, and how many more hold some."""
    held = gpu.holder
    if held is None:
        return UNKNOWN
    more = f" +{held.others}" if held.others else ""
    return f"{harmless(held.process)} {gib(held.memory_bytes)}{more}"
