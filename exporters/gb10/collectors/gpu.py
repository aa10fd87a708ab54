"""A fresh NVML sample → metrics of each GPU, labelled by its index; identity is in one info metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from exporters.gb10.collectors import PREFIX
from exporters.gb10.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.nvml import Sample
    from exporters.gb10.snapshot import Status

LABELS = ["gpu"]

# Each is a field of readings.Gpu and the end of a metric's name.
GAUGES = {
    "temperature_celsius": "Temperature of the GPU. A GB10's package (thermal zone TSOC) runs about 10 degrees hotter.",
    "temperature_margin_celsius": "Degrees left until the driver throttles for heat (T.Limit).",
    "power_watts": "Power the GPU draws.",
    "sm_clock_hertz": "Clock of the streaming multiprocessors.",
    "sm_clock_max_hertz": "Highest clock of the streaming multiprocessors.",
    "application_clock_hertz": "Clock that the GPU aims for under load; 2418 MHz on a GB10.",
    "utilization_ratio": "Share of the last moment in which a kernel ran.",
    "performance_state": "P-state: 0 is the fastest; a GB10 stays in 0 while any CUDA context exists.",
    "memory_total_bytes": "Memory of the GPU's own. Absent on a GB10: see the memory metrics without gpu.",
    "memory_used_bytes": "Used memory of the GPU's own. Absent on a GB10.",
}


def families(status: Status) -> Iterator[Metric]:
    """Nothing without a fresh sample; without a value, no series."""
    sample = status.sample
    if sample is None or not sample.gpus:
        return
    yield from identity(sample)
    for name, documentation in GAUGES.items():
        gauge = GaugeMetricFamily(f"{PREFIX}_gpu_{name}", documentation, labels=LABELS)
        for gpu in sample.gpus:
            value = getattr(gpu, name)
            if value is not None:
                gauge.add_metric([str(gpu.index)], value)
        if gauge.samples:
            yield gauge
    yield from (family for family in (*counters(sample), *clocks(status, sample)) if family.samples)


def identity(sample: Sample) -> Iterator[Metric]:
    """Which GPUs there are, and whether each answers."""
    up = GaugeMetricFamily(f"{PREFIX}_gpu_up", "1 while this GPU answers NVML, 0 when it is lost.", labels=LABELS)
    info = InfoMetricFamily(f"{PREFIX}_gpu", "Which GPU this is, and its driver.", labels=LABELS)
    for gpu in sample.gpus:
        up.add_metric([str(gpu.index)], float(gpu.up))
        if gpu.name and gpu.uuid:
            info.add_metric([str(gpu.index)], {"name": gpu.name, "uuid": gpu.uuid, "driver": sample.driver})
    yield from (up, info)


def counters(sample: Sample) -> Iterator[Metric]:
    """What only grows; the sampler reads it each 5 s."""
    energy = CounterMetricFamily(
        f"{PREFIX}_gpu_energy_joules", "Energy used since the driver was loaded.", labels=LABELS
    )
    reasons = CounterMetricFamily(
        f"{PREFIX}_gpu_event_reason_seconds",
        "How long each reason has held the clocks down since the driver was loaded.",
        labels=[*LABELS, "reason"],
    )
    for gpu in sample.gpus:
        if gpu.energy_joules is not None:
            energy.add_metric([str(gpu.index)], gpu.energy_joules)
        for reason, seconds in gpu.event_reason_seconds.items():
            reasons.add_metric([str(gpu.index), reason], seconds)
    yield from (energy, reasons)


def clocks(status: Status, sample: Sample) -> Iterator[Metric]:
    """What holds the clock down, and the cap that the operator has announced."""
    low_power = GaugeMetricFamily(
        f"{PREFIX}_gpu_low_power_state",
        "1 for what holds the clock down for a minute (stuck: nothing explains it), 0 for the others; see states.py.",
        labels=[*LABELS, "state"],
    )
    cap = GaugeMetricFamily(
        f"{PREFIX}_gpu_clock_cap_expected_hertz", "Clock cap that --gpu.clock-cap says is set.", labels=LABELS
    )
    for gpu in sample.gpus:
        found = status.low_power.get(gpu.index)
        for state in State if found else ():
            low_power.add_metric([str(gpu.index), state.value], float(state is found))
        if status.clock_cap_hertz is not None:
            cap.add_metric([str(gpu.index)], status.clock_cap_hertz)
    yield from (low_power, cap)
