"""The kernel's memory figures → metrics of the memory that CPU and GPU share. NVML has none for a GB10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from exporters.gb10.collectors import PREFIX, complain
from exporters.gb10.readings.memory import allocatable_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.memory import Memory

# Name in /proc/meminfo → end of the metric's name, and what it is.
GAUGES = {
    "MemTotal": ("total_bytes", "Memory that the system has; less than the 128 GB of the data sheet."),
    "MemFree": ("free_bytes", "Memory that nothing uses, not even as cache; says little: see available."),
    "MemAvailable": ("available_bytes", "Memory that programs can get without swapping."),
    "Cached": ("page_cache_bytes", "Page cache, shared memory included."),
    "Shmem": ("shared_bytes", "Shared memory (tmpfs, shm): part of the page cache that cannot be dropped."),
    "Mlocked": ("locked_bytes", "Memory that programs have locked: it can be neither dropped nor swapped."),
    "Unevictable": ("unevictable_bytes", "Memory that the kernel cannot reclaim, for whatever reason."),
    "SwapTotal": ("swap_total_bytes", "Swap space."),
    "SwapFree": ("swap_free_bytes", "Swap space that is free."),
}
HUGE_PAGES = {
    "HugePages_Total": ("total", "Memory set aside as huge pages; only those who ask for huge pages get it."),
    "HugePages_Free": ("free", "The part of it that is free."),
}
# Name in /proc/vmstat → the metric's name without _total, and what it is.
EVENTS = {
    "compact_stall": ("compaction_stalls", "Times a program waited while memory was compacted for a large block."),
    "compact_fail": ("compaction_failures", "Compactions that gave no large block."),
    "compact_success": ("compaction_successes", "Compactions that gave one."),
    "oom_kill": ("oom_kills", "Programs killed for lack of memory. A GB10 often freezes without one."),
}
SWAPS = {
    "pswpin": ("swap_in_bytes", "Read back from swap."),
    "pswpout": ("swap_out_bytes", "Written to swap."),
}


def families(memory: Memory) -> Iterator[Metric]:
    """One family for each figure that the kernel has."""
    sizes = memory.sizes
    for line, (name, documentation) in GAUGES.items():
        if line in sizes:
            yield GaugeMetricFamily(f"{PREFIX}_memory_{name}", documentation, sizes[line])
    if "Hugepagesize" in sizes:
        for line, (name, documentation) in HUGE_PAGES.items():
            if line in sizes:
                value = sizes[line] * sizes["Hugepagesize"]
                yield GaugeMetricFamily(f"{PREFIX}_memory_huge_pages_{name}_bytes", documentation, value)
    allocatable = allocatable_bytes(sizes)
    if allocatable is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_memory_allocatable_bytes",
            "What a CUDA program can still get, by NVIDIA's rule: available plus free swap, or the free huge pages.",
            allocatable,
        )
    for table, factor in ((EVENTS, 1), (SWAPS, memory.page_bytes)):
        for line, (name, documentation) in table.items():
            if line in memory.events:
                yield CounterMetricFamily(f"{PREFIX}_memory_{name}", documentation, memory.events[line] * factor)
    yield from pressure_and_blocks(memory)
    complain(memory.faults)


def pressure_and_blocks(memory: Memory) -> Iterator[Metric]:
    """The signs that precede a wedge: time lost waiting for memory, and few large free blocks."""
    pressure = CounterMetricFamily(
        f"{PREFIX}_memory_pressure_seconds",
        "Time in which some programs, or all of them (full), waited for memory.",
        labels=["kind"],
    )
    for kind, seconds in memory.stall_seconds.items():
        pressure.add_metric([kind], seconds)
    blocks = GaugeMetricFamily(
        f"{PREFIX}_memory_free_blocks",
        "Free blocks of one size; without large ones the driver cannot allocate, however much is available.",
        labels=["node", "zone", "size_bytes"],
    )
    for each in memory.free_blocks:
        blocks.add_metric([each.node, each.zone, str(each.size_bytes)], each.count)
    yield from (family for family in (pressure, blocks) if family.samples)
