"""A process id → what the process and all its children use: processor seconds and memory, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MIB = 1024  # kB in it


@dataclass(frozen=True)
class Use:
    """Of a whole tree at one moment. Processor seconds include those of children that have ended and were reaped."""

    cpu_s: float
    rss_mib: float
    private_mib: float
    processes: int


def use(root: int) -> Use:
    """What the tree below `root` uses now; a child that ends meanwhile is left out."""
    cpu = rss = private = 0.0
    found = members(root)
    for pid in found:
        try:
            cpu += cpu_s(pid)
            fields = rollup(pid)
        except (OSError, ValueError, IndexError):
            continue
        rss += fields["Rss"] / MIB
        private += (fields["Private_Clean"] + fields["Private_Dirty"]) / MIB
    return Use(cpu, rss, private, len(found))


def members(root: int) -> list[int]:
    """`root` and everything below it."""
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S


def rollup(pid: int) -> dict[str, int]:
    """The memory of a process in kB by kind."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}
