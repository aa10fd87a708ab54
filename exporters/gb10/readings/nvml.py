"""A sampler's line (text) → what NVML said of every GPU, in base units. Pure; None, or no key: it is silent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# The unit of the cumulative event counters (NVML fields 74, 76, 269-271). DECISION: nanoseconds, as nvml.h says.
# Measured 2026-11-21 on an H200 held at its power limit, driver 580.159.04: field 74 grew by 1.00e9 each second and
# read 20,872,327,904 where nvidia-smi printed 20872327 us. Not measured on a GB10, whose driver branch is the same.
EVENT_COUNTS_PER_SECOND = 1_000_000_000

# NVML return codes (nvml.h) that mean the GPU is in trouble: uninitialized, driver not loaded, GPU is lost, reset
# required, access blocked by the operating system. Others say only that this GPU or driver lacks that one reading.
TROUBLE_CODES = frozenset({1, 9, 15, 16, 17})

UNKNOWN_PERFORMANCE_STATE = 32  # NVML_PSTATE_UNKNOWN

# The sampler reads some things only every 5 s. What is older than this when its line is written is not told.
SELDOM_VALID_S = 15.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment. The names are those of its metrics."""

    index: int
    up: bool
    name: str | None = None
    uuid: str | None = None
    temperature_celsius: float | None = None
    temperature_margin_celsius: float | None = None
    power_watts: float | None = None
    energy_joules: float | None = None
    sm_clock_hertz: float | None = None
    sm_clock_max_hertz: float | None = None
    application_clock_hertz: float | None = None
    utilization_ratio: float | None = None
    performance_state: float | None = None
    memory_total_bytes: float | None = None
    memory_used_bytes: float | None = None
    event_reason_seconds: Mapping[str, float] = field(default_factory=dict)
    processes: Processes | None = None


@dataclass(frozen=True, slots=True)
class Processes:
    """Who uses one GPU. A process that the driver gives no memory figure for is counted, and in no sum."""

    count: int
    compute_count: int
    bytes_by_pid: Mapping[int, int]  # the largest; how many is the sampler's bound
    rest_bytes: int  # of all smaller ones together


@dataclass(frozen=True, slots=True)
class Sample:
    """What NVML said about all GPUs at one moment; `up` is false when one of them is in trouble, or there is none."""

    driver: str
    gpus: tuple[Gpu, ...]

    @property
    def up(self) -> bool:
        """Whether every GPU answers."""
        return bool(self.gpus) and all(gpu.up for gpu in self.gpus)


@dataclass(frozen=True, slots=True)
class Failure:
    """NVML as a whole gave nothing, and why, in NVML's words."""

    reason: str


def sample(line: str) -> Sample | Failure:
    """A line of the sampler; ValueError when it is not one."""
    data = json.loads(line)
    try:
        if "failure" in data:
            return Failure(str(data["failure"]))
        return Sample(str(data["driver"]), tuple(gpu(item) for item in data["gpus"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a line of the sampler: {line!r}") from error


def gpu(data: Mapping[str, Any]) -> Gpu:
    """One GPU of a sampler's line."""
    errors = set(data["errors"].values())
    values = dict(data["values"])
    seldom = data.get("seldom")
    answers = bool(values) and TROUBLE_CODES.isdisjoint(errors)
    if answers and seldom is not None and seldom["age_s"] <= SELDOM_VALID_S:
        values |= seldom["values"]
        errors |= set(seldom["errors"].values())

    def scaled(name: str, *, times: int = 1, per: int = 1) -> float | None:
        return values[name] * times / per if name in values else None

    state = scaled("performance_state")
    memory = values.get("memory_bytes", {})
    counters = values.get("event_counters", {})
    has_memory = memory.get("total", 0) > 0  # a total of 0 is a false answer, not an empty memory
    return Gpu(
        index=int(data["index"]),
        up=answers and TROUBLE_CODES.isdisjoint(errors),
        name=values.get("name"),
        uuid=values.get("uuid"),
        temperature_celsius=scaled("temperature_celsius"),
        temperature_margin_celsius=scaled("margin_celsius"),
        power_watts=scaled("power_milliwatts", per=1000),
        energy_joules=scaled("energy_millijoules", per=1000),
        sm_clock_hertz=scaled("sm_clock_megahertz", times=1_000_000),
        sm_clock_max_hertz=scaled("sm_clock_max_megahertz", times=1_000_000) or None,
        application_clock_hertz=scaled("application_clock_megahertz", times=1_000_000) or None,
        utilization_ratio=scaled("utilization_percent", per=100),
        performance_state=None if state == UNKNOWN_PERFORMANCE_STATE else state,
        memory_total_bytes=memory["total"] if has_memory else None,
        memory_used_bytes=memory["used"] if has_memory else None,
        event_reason_seconds={reason: count / EVENT_COUNTS_PER_SECOND for reason, count in counters.items()},
        processes=processes(values["processes"]) if "processes" in values else None,
    )


def processes(data: Mapping[str, Any]) -> Processes:
    """The processes of one GPU of a sampler's line."""
    by_pid = {int(pid): int(size) for pid, size in data["bytes"].items()}
    return Processes(int(data["all"]), int(data["compute"]), by_pid, int(data["rest_bytes"]))
