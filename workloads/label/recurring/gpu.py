"""NVML and systemd → who computes on the GPU beside this unit, by the unit that a person knows.

A program that only holds memory counts: CPU and GPU of a Spark share it, so a training beside it may end it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.errors import printable
from workloads.label import flow
from workloads.memguard import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

ABSENT = f"NVML: {serving.LIBRARY}: "  # how the loader begins when there is no driver: then there is no GPU to share
ASKED = (sys.executable, "-S", "-m", "workloads.memguard", serving.ASK)
MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
BUS_S = 10.0


def others(beside: Collection[str]) -> tuple[str, ...]:
    """Everybody else who uses the GPU, in order; NVML itself where it does not answer: nobody may be overlooked."""
    pids, silent = serving.processes(ASKED, flow.environment())
    if silent:
        return () if silent.startswith(ABSENT) else (printable(silent),)
    return strangers(pids, beside, own_unit())


def strangers(
    pids: Iterable[int], beside: Collection[str], own: str, unit_of: Callable[[int], str] | None = None
) -> tuple[str, ...]:
    """Pure but for looking: the units of these processes without our own and those that nobody waits for."""
    found = {(unit_of or unit)(pid) or (serving.named(pid) if _lives(pid) else own) for pid in pids}
    return tuple(sorted(who for who in found - {own} if not any(fnmatchcase(who, pattern) for pattern in beside)))


def unit(pid: int) -> str:
    """The unit that systemd counts the process to; empty when it is gone, or when nobody tells.

    Asked over the bus: other people's /proc is not to be seen from the unit of this verb (ProtectProc).
    """
    words = ["busctl", "--json=short", "call", *MANAGER, "GetUnitByPID", "u", str(pid)]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=BUS_S, check=True).stdout
        return unescaped(str(json.loads(said)["data"][0]))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, IndexError, TypeError):
        return ""


def unescaped(path: str) -> str:
    """/org/freedesktop/systemd1/unit/session_2d3_2escope → session-3.scope; sd_bus_path_encode(3)."""
    name = path.rpartition("/")[2]
    return printable(re.sub(r"_([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), name))


def own_unit(cgroup: Path = Path("/proc/self/cgroup")) -> str:
    """The unit that this process is in."""
    lines = cgroup.read_text().splitlines()
    return next((line.rpartition("/")[2] for line in lines if line.startswith("0::")), "")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
