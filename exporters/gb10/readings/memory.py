"""/proc/{meminfo,vmstat,buddyinfo,pressure/memory} (text) → the state of the memory that CPU and GPU share. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# 2 MiB with pages of 4 KiB, and up: the blocks whose lack goes with a wedge (FujitsuPolycom/sparkring#173).
ORDER_MIN = 9
ZONES_MAX = 64
SIZES = re.compile(r"^([^\s:]+):[ \t]*(\d{1,19})( kB)?[ \t]*$", flags=re.MULTILINE)
EVENTS = re.compile(
    r"^(compact_stall|compact_fail|compact_success|oom_kill|pswpin|pswpout) (\d{1,20})$", flags=re.MULTILINE
)
BLOCKS = re.compile(r"^Node (\d+), zone +(\S+)((?: +\d{1,19})+) *$", flags=re.MULTILINE)
STALLS = re.compile(r"^(some|full) [^\n]*\btotal=(\d{1,20})$", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FreeBlocks:
    """How many free blocks of one size a zone of a memory node has."""

    node: str
    zone: str
    size_bytes: int
    count: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What the kernel says of its memory; what it does not say is not in it. `faults`: files in another form."""

    sizes: Mapping[str, int]  # of meminfo: bytes, and counts of pages as they are
    events: Mapping[str, int]  # of vmstat, since boot; pages, where it counts pages
    free_blocks: tuple[FreeBlocks, ...] = ()
    stall_seconds: Mapping[str, float] = field(default_factory=dict)  # some, full
    page_bytes: int = 4096
    faults: tuple[str, ...] = ()


def memory(files: Mapping[str, str], page_bytes: int) -> Memory:
    """The files by name (meminfo, vmstat, buddyinfo, pressure) → a reading; a file that is absent is no fault."""
    sizes = meminfo(files.get("meminfo", ""))
    events = {name: int(count) for name, count in EVENTS.findall(files.get("vmstat", ""))}
    blocks = free_blocks(files.get("buddyinfo", ""), page_bytes)
    stalls = {kind: int(total) / 1e6 for kind, total in STALLS.findall(files.get("pressure", ""))}
    found = {"meminfo": sizes, "vmstat": events, "buddyinfo": blocks, "pressure": stalls}
    faults = tuple(f"{name} is in no known form" for name, text in files.items() if text.strip() and not found[name])
    return Memory(sizes, events, blocks, stalls, page_bytes, faults)


def meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo → {name: bytes}, counts (HugePages_Free) as they are; lines of another form are left out."""
    return {name: int(number) * (1024 if unit else 1) for name, number, unit in SIZES.findall(text)}


def free_blocks(text: str, page_bytes: int) -> tuple[FreeBlocks, ...]:
    """/proc/buddyinfo → the free blocks of 2^9 pages and more; column n counts blocks of 2^n pages."""
    found = {}
    for node, zone, columns in BLOCKS.findall(text)[:ZONES_MAX]:
        for order, count in enumerate(columns.split()[:32]):
            if order >= ORDER_MIN:
                found[node, zone, order] = FreeBlocks(node, zone, page_bytes << order, int(count))
    return tuple(found.values())


def allocatable_bytes(memory: Mapping[str, int]) -> int | None:
    """What a CUDA program can still get of a unified memory, by the rule of NVIDIA's DGX Spark known-issues page.

    MemAvailable plus free swap; where huge pages are set aside, the free ones alone. `cudaMemGetInfo` says less, since
    it leaves out memory that can be reclaimed.
    """
    if memory.get("HugePages_Total"):
        pages, size = memory.get("HugePages_Free"), memory.get("Hugepagesize")
        return None if pages is None or size is None else pages * size
    available = memory.get("MemAvailable")
    return None if available is None else available + memory.get("SwapFree", 0)
