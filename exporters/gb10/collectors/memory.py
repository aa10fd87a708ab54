"""/proc/meminfo → the memory that CPU and GPU share. NVML has no memory figures for a GB10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX
from exporters.gb10.readings.memory import allocatable_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

# Name in /proc/meminfo → end of the metric's name, and what it is.
GAUGES = {
    "MemTotal": ("total_bytes", "Memory that the system has; less than the 128 GB of the data sheet."),
    "MemFree": ("free_bytes", "Memory that nothing uses, not even as cache; says little: see available."),
    "MemAvailable": ("available_bytes", "Memory that programs can get without swapping."),
    "Cached": ("page_cache_bytes", "Page cache, shared memory included."),
    "Shmem": ("shared_bytes", "Shared memory (tmpfs, shm): part of the page cache that cannot be dropped."),
    "Mlocked": ("locked_bytes", "Memory that programs have locked: it can be neither dropped nor swapped."),
    "SwapTotal": ("swap_total_bytes", "Swap space."),
    "SwapFree": ("swap_free_bytes", "Swap space that is free."),
}


def families(memory: Mapping[str, int]) -> Iterator[Metric]:
    """One gauge for each line that the kernel has."""
    for line, (name, documentation) in GAUGES.items():
        if line in memory:
            yield GaugeMetricFamily(f"{PREFIX}_memory_{name}", documentation, memory[line])
    allocatable = allocatable_bytes(memory)
    if allocatable is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_memory_allocatable_bytes",
            "What a CUDA program can still get, by NVIDIA's rule: available plus free swap, or the free huge pages.",
            allocatable,
        )
