"""/proc/meminfo (text) → memory in bytes, and what a CUDA program can still get of it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo → {name: bytes}, counts (HugePages_Free) as they are; lines of another form are left out."""
    found = re.findall(r"^([^\s:]+):[ \t]*(\d+)( kB)?[ \t]*$", text, flags=re.MULTILINE)
    return {name: int(number) * (1024 if unit else 1) for name, number, unit in found}


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
