"""A fresh NVML sample → metrics of each GPU, labelled by its index; identity is in one info metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.nvml import Sample

LABELS = ["gpu"]

# Each is a field of readings.Gpu and the end of a metric's name.
GAUGES = {
    "temperature_celsius": "Temperature of the GPU. A GB10's package (thermal zone TSOC) runs about 10 degrees hotter.",
    "temperature_margin_celsius": "Degrees left until the driver throttles for heat (T.Limit).",
    "power_watts": "Power the GPU draws.",
    "sm_clock_hertz": "Clock of the streaming multiprocessors.",
    "utilization_ratio": "Share of the last moment in which a kernel ran.",
    "performance_state": "P-state: 0 is the fastest; a GB10 stays in 0 while any CUDA context exists.",
    "memory_total_bytes": "Memory of the GPU's own. Absent on a GB10: see the memory metrics without gpu.",
    "memory_used_bytes": "Used memory of the GPU's own. Absent on a GB10.",
}


def families(sample: Sample | None) -> Iterator[Metric]:
    """Nothing without a fresh sample; without a value, no series."""
    if sample is None or not sample.gpus:
        return
    up = GaugeMetricFamily(f"{PREFIX}_gpu_up", "1 while this GPU answers NVML, 0 when it is lost.", labels=LABELS)
    info = InfoMetricFamily(f"{PREFIX}_gpu", "Which GPU this is, and its driver.", labels=LABELS)
    energy = CounterMetricFamily(
        f"{PREFIX}_gpu_energy_joules", "Energy used since the driver was loaded.", labels=LABELS
    )
    reasons = CounterMetricFamily(
        f"{PREFIX}_gpu_event_reason_seconds",
        "How long each reason has held the clocks down since the driver was loaded.",
        labels=[*LABELS, "reason"],
    )
    for gpu in sample.gpus:
        labels = [str(gpu.index)]
        up.add_metric(labels, float(gpu.up))
        if gpu.name and gpu.uuid:
            info.add_metric(labels, {"name": gpu.name, "uuid": gpu.uuid, "driver": sample.driver})
        if gpu.energy_joules is not None:
            energy.add_metric(labels, gpu.energy_joules)
        for reason, seconds in gpu.event_reason_seconds.items():
            reasons.add_metric([*labels, reason], seconds)
    yield from (up, info)
    for name, documentation in GAUGES.items():
        gauge = GaugeMetricFamily(f"{PREFIX}_gpu_{name}", documentation, labels=LABELS)
        for gpu in sample.gpus:
            value = getattr(gpu, name)
            if value is not None:
                gauge.add_metric([str(gpu.index)], value)
        if gauge.samples:
            yield gauge
    yield from (family for family in (energy, reasons) if family.samples)
