"""Process ids → the text of /proc/PID/cgroup and /proc/PID/comm. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Neither takes a lock that a process in trouble could hold; reading /proc/PID/cmdline would, and could hang the scrape.
FILES = ("cgroup", "comm")


def process_texts(procfs: Path, pids: Iterable[int]) -> dict[int, dict[str, str]]:
    """Process id → its files by name. A process that is gone or belongs to another namespace has none.

    Bytes that are not UTF-8 (any program may name itself so) are replaced.
    """
    found: dict[int, dict[str, str]] = {}
    for pid in pids:
        found[pid] = {}
        for name in FILES:
            try:
                found[pid][name] = (procfs / str(pid) / name).read_text(errors="replace")
            except OSError:
                continue
    return found
