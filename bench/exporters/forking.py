"""`nvidia-smi`, forked again and again → the exporter's readings, what they cost, and where the two differ."""

from __future__ import annotations

import re
import resource
import subprocess
import time
from dataclasses import dataclass

from bench.exporters.latency import latency

TIMEOUT_S = 30
# nvidia-smi's name → our metric, its unit in ours, and how far two readings of one second may lie apart (own units).
# The two programs read some milliseconds apart: power, utilisation and clocks move in that time.
READINGS = {
    "temperature.gpu": ("gpu_temperature_celsius", 1, 2),
    "power.draw": ("gpu_power_watts", 1, 60),
    "clocks.sm": ("gpu_sm_clock_hertz", 1e6, 300e6),
    "clocks.max.sm": ("gpu_sm_clock_max_hertz", 1e6, 0),
    "utilization.gpu": ("gpu_utilization_ratio", 0.01, 0.25),
    "pstate": ("gpu_performance_state", 1, 0),
    "memory.total": ("gpu_memory_total_bytes", 1 << 20, 1 << 20),
    "memory.used": ("gpu_memory_used_bytes", 1 << 20, 64 << 20),
    "clocks_event_reasons_counters.sw_power_cap": ('gpu_event_reason_seconds_total{reason="sw_power_cap"}', 1e-6, 7),
    "clocks_event_reasons_counters.sw_thermal_slowdown": (
        'gpu_event_reason_seconds_total{reason="sw_thermal_slowdown"}', 1e-6, 7,
    ),
    "clocks_event_reasons_counters.hw_thermal_slowdown": (
        'gpu_event_reason_seconds_total{reason="hw_thermal_slowdown"}', 1e-6, 7,
    ),
}  # fmt: skip
SAMPLE = re.compile(r'sparkfleet_gb10_(\w+)\{gpu="(\d+)"(?:,reason="(\w+)")?\} (\S+)')


@dataclass(frozen=True)
class Forked:
    """One run of nvidia-smi a second."""

    p50_ms: float
    p99_ms: float
    cpu_percent: float


def query() -> list[dict[str, float | None]]:
    """All readings of every GPU in our units; None where nvidia-smi says that there is none."""
    words = ["nvidia-smi", f"--query-gpu={','.join(READINGS)}", "--format=csv,noheader,nounits"]
    said = subprocess.run(words, check=True, capture_output=True, text=True, timeout=TIMEOUT_S).stdout
    found = []
    for line in said.splitlines():
        cells = zip(READINGS.values(), line.split(", "), strict=True)
        found.append({metric: number(cell, scale) for (metric, scale, _), cell in cells})
    return found


def number(cell: str, scale: float) -> float | None:
    """`P0`, `48`, `[N/A]` → 0, 48, None, in our unit."""
    try:
        return float(cell.strip().removeprefix("P")) * scale
    except ValueError:
        return None


def exposed(text: str) -> dict[int, dict[str, float]]:
    """An exposition of ours → the same readings by GPU."""
    found: dict[int, dict[str, float]] = {}
    for name, gpu, reason, value in SAMPLE.findall(text):
        metric = f'{name}{{reason="{reason}"}}' if reason else name
        found.setdefault(int(gpu), {})[metric] = float(value)
    return found


def differences(text: str, forked: list[dict[str, float | None]]) -> dict[str, tuple[float | None, float | None]]:
    """Reading → the pair (ours, nvidia-smi's) of the GPU where they lie farthest apart; None: not told."""
    ours = exposed(text)
    found: dict[str, tuple[float | None, float | None]] = {}
    for metric, _, _ in READINGS.values():
        pairs = [(ours.get(gpu, {}).get(metric), said[metric]) for gpu, said in enumerate(forked)]
        found[metric] = max(pairs, key=apart)
    return found


def apart(pair: tuple[float | None, float | None]) -> float:
    """How far two readings lie apart: infinitely, when only one of them is told."""
    ours, theirs = pair
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else float("inf")
    return abs(ours - theirs)


def cost(seconds: int) -> Forked:
    """What a collector that forks nvidia-smi once a second pays, itself not counted."""
    before, took = resource.getrusage(resource.RUSAGE_CHILDREN), []
    begin = time.monotonic()
    for second in range(seconds):
        started = time.perf_counter()
        query()
        took.append(time.perf_counter() - started)
        time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begin
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    times = latency(took, len(READINGS))
    return Forked(times.p50_ms, times.p99_ms, 100 * spent / wall)
