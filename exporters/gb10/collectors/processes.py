"""A fresh NVML sample and the owners of its processes → who uses each GPU's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX
from exporters.gb10.readings.processes import memory_by_owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from exporters.gb10.readings.nvml import Sample

LABELS = ["gpu"]


def families(sample: Sample | None, texts: Mapping[int, Mapping[str, str]]) -> Iterator[Metric]:
    """Nothing of a GPU that does not list its processes. `texts`: process id → its files of /proc, by name."""
    memory = GaugeMetricFamily(
        f"{PREFIX}_gpu_process_memory_bytes",
        "GPU memory by systemd unit (or container) and program; the smaller ones together are other. On a GB10 it is "
        "part of the memory that all programs share.",
        labels=[*LABELS, "unit", "process"],
    )
    every = GaugeMetricFamily(f"{PREFIX}_gpu_processes", "Processes that compute or draw.", labels=LABELS)
    compute = GaugeMetricFamily(f"{PREFIX}_gpu_compute_processes", "Processes that compute.", labels=LABELS)
    for gpu in sample.gpus if sample else ():
        if gpu.processes is None:
            continue
        every.add_metric([str(gpu.index)], gpu.processes.count)
        compute.add_metric([str(gpu.index)], gpu.processes.compute_count)
        for (unit, process), size in memory_by_owner(gpu.processes, texts).items():
            memory.add_metric([str(gpu.index), unit, process], size)
    yield from (family for family in (memory, every, compute) if family.samples)
