"""/proc/meminfo and /proc/buddyinfo (text) → what a load can get of the memory that CPU and GPU share, in bytes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Blocks of 2 MiB with pages of 4 KiB, and up: the driver wants them, and their lack goes with a wedge (K3).
LARGE_ORDER = 9
SIZES = re.compile(r"^([^\s:]+):[ \t]*(\d{1,19})( kB)?[ \t]*$", flags=re.MULTILINE)
BLOCKS = re.compile(r"^Node \d+, zone +\S+((?: +\d{1,19})+) *$", flags=re.MULTILINE)


class UnreadableError(Exception):
    """The kernel's figures are not there, or in another form: nothing may be decided on them."""


@dataclass(frozen=True)
class Memory:
    """Bytes, at one moment. `cache`: of files, dirty and mapped pages too. `large_free`: in blocks of 2 MiB or more."""

    free: int
    available: int
    swap_free: int = 0
    cache: int = 0
    large_free: int = 0
    large_blocks: int = 0
    huge_total: int = 0
    huge_free: int = 0
    total: int = 0

    @property
    def allocatable(self) -> int:
        """What a CUDA program can still get, by the rule of NVIDIA's DGX Spark known-issues page.

        MemAvailable plus free swap; where huge pages are set aside, the free ones alone.
        """
        return self.huge_free if self.huge_total else self.available + self.swap_free

    @property
    def at_once(self) -> int:
        """What it gets without anything being reclaimed: `cudaMemGetInfo` leaves out the rest (vllm#35313)."""
        return self.huge_free if self.huge_total else self.free


def memory(meminfo: str, buddyinfo: str, page_bytes: int) -> Memory:
    """The two files' texts → a reading; raises UnreadableError when MemFree or MemAvailable is missing."""
    sizes = {name: int(number) * (1024 if unit else 1) for name, number, unit in SIZES.findall(meminfo)}
    missing = [name for name in ("MemFree", "MemAvailable") if name not in sizes]
    if missing:
        raise UnreadableError(f"meminfo tells no {' and no '.join(missing)}")
    blocks = [
        (order, int(count))
        for columns in BLOCKS.findall(buddyinfo)
        for order, count in enumerate(columns.split()[:32])
        if order >= LARGE_ORDER
    ]
    cache = sizes.get("Cached", 0) + sizes.get("Buffers", 0) - sizes.get("Shmem", 0)  # Cached counts tmpfs, too
    huge = sizes.get("Hugepagesize", 0)
    return Memory(
        free=sizes["MemFree"],
        available=sizes["MemAvailable"],
        swap_free=sizes.get("SwapFree", 0),
        cache=max(0, cache),
        large_free=sum(count * (page_bytes << order) for order, count in blocks),
        large_blocks=sum(count for _, count in blocks),
        huge_total=sizes.get("HugePages_Total", 0) * huge,
        huge_free=sizes.get("HugePages_Free", 0) * huge,
        total=sizes.get("MemTotal", 0),
    )


def read(procfs: Path) -> Memory:
    """What the kernel says now; raises UnreadableError."""
    try:
        meminfo, buddyinfo = (_text(procfs / name) for name in ("meminfo", "buddyinfo"))
    except OSError as error:
        raise UnreadableError(f"{error.filename}: {error.strerror}") from None
    return memory(meminfo, buddyinfo, os.sysconf("SC_PAGE_SIZE"))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
