"""Fault scenarios → what each contender says while they last, in its own words; a table for people to compare.

Nothing is judged here but one thing: a value that is read over again while nobody can have read it is called frozen.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.exporters.contenders import NODE, NVITOP, OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.exporters.contenders import Contender

SILENT = "says nothing"


@dataclass(frozen=True)
class Fault:
    """A scenario, how long it needs to show, and which series of each contender could tell of it (patterns)."""

    scenario: str
    shows_within_s: float
    told_by: dict[str, tuple[str, ...]]


# The series that come nearest to telling of the fault, by the contenders' own lists of metrics.
FAULTS = (
    Fault(
        "thermal-ramp", 75,
        {
            OURS: (r"thermal_zone_celsius\{.*TSOC", r"gpu_temperature_margin_celsius"),
            NVITOP: (r"^gpu_temperature",),
            NODE: (r'^node_thermal_zone_temp\{.*zone="0"',),
        },
    ),
    Fault(
        "power-cap", 75,
        {
            OURS: (r'low_power_state\{.*state="power_cap"', r"event_reason_seconds_total\{.*sw_power_cap"),
            NVITOP: (r"^gpu_power_usage", r"^gpu_clock_sm"),
            NODE: (),
        },
    ),
    Fault(
        "stuck-low-power", 75,
        {
            OURS: (r'low_power_state\{.*state="stuck"', r"gpu_sm_clock_hertz"),
            NVITOP: (r"^gpu_clock_sm", r"^gpu_power_usage"),
            NODE: (),
        },
    ),
    Fault(
        "memory-wedge", 95,  # blocked from 75 s on
        {
            OURS: (r"memory_available_bytes", r"nvml_stuck_seconds", r"nvml_up"),
            NVITOP: (r"^gpu_memory_used", r"^gpu_memory_percent"),
            NODE: (r"^node_memory_MemAvailable_bytes", r"^node_pressure_memory_stalled"),
        },
    ),
    Fault(
        "gpu-lost", 25,  # lost after 10 s
        {OURS: (r"gpu_up\{", r"nvml_up"), NVITOP: (r"^gpu_temperature", r"^gpu_utilization"), NODE: ()},
    ),
    Fault(
        "connectx-twin-down", 15,
        {
            OURS: (r'connectx_pair_state\{.*state="degraded"\} 1', r"connectx_port_up\{"),
            NVITOP: (),
            NODE: (r'^node_network_up\{device="en',),
        },
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a contender said of a fault."""

    scenario: str
    contender: str
    answered: bool
    lines: tuple[str, ...]


def ask(contenders: Sequence[Contender], load: Callable[[str], None], faults: Sequence[Fault]) -> list[Said]:
    """Load each fault on a healthy machine and hear everybody when it has had its time to show."""
    found = []
    for fault in faults:
        load("inference")
        time.sleep(5)
        load(fault.scenario)
        time.sleep(fault.shows_within_s)
        found += [said(fault, one) for one in contenders]
    return found


def said(fault: Fault, contender: Contender) -> Said:
    """The lines that tell of the fault, shortened; not answered: no exposition came."""
    try:
        _, text = contender.scrape()
    except OSError:
        return Said(fault.scenario, contender.name, answered=False, lines=())
    patterns = fault.told_by[contender.name]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    told = [shortened(line) for pattern in patterns for line in lines if re.search(pattern, line)]
    return Said(fault.scenario, contender.name, answered=True, lines=tuple(told[:4]))


def shortened(line: str) -> str:
    """A series as a person would quote it: without our prefix and without identity labels."""
    short = re.sub(r'(uuid|index|type|zone|netdev|devicename|hostname|physicalindex|cudaindex)="[^"]*",?', "", line)
    return short.replace("sparkfleet_gb10_", "").replace(",}", "}").replace("{}", "")
