"""A folder that stands for a host's kernel figures and switches (simulated), and the guard as hosts run it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sparkfleet.host.bundle import zipapp_bytes

PROJECT = Path(__file__).resolve().parents[3]
GIB = 1 << 30


@dataclass
class Host:
    """`run` and `state` are the guard's own folders; what it writes to a switch stays there to be read."""

    root: Path
    guard: Path

    def has(self, free_gib: float, available_gib: float, cache_gib: float, large: int = 100_000) -> None:
        """Let the kernel say so."""
        sizes = {"MemFree": free_gib, "MemAvailable": available_gib, "Cached": cache_gib, "Shmem": 0, "SwapFree": 0}
        lines = [f"{name}: {int(gib * GIB) // 1024} kB\n" for name, gib in sizes.items()]
        (self.root / "meminfo").write_text("".join(lines))
        (self.root / "buddyinfo").write_text(f"Node 0, zone Normal {'0 ' * 9}{large} 0\n")

    def describe(self, **changes: Any) -> None:
        """Write the guard's configuration."""
        config = {
            "floor_bytes": 8 * GIB, "every_s": 60, "watch_s": 60, "serving": [], "folders": [], "sudo": False,
            "procfs": str(self.root), "vm": str(self.root / "vm"), "run": str(self.root / "run"),
            "state": str(self.root / "state"),
        }  # fmt: skip
        (self.root / "config.json").write_text(json.dumps(config | changes))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`spark-memguard` with these words."""
        command = [sys.executable, "-IS", str(self.guard), "--config", str(self.root / "config.json"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """The same in the background."""
        command = [sys.executable, "-IS", str(self.guard), "--config", str(self.root / "config.json"), *words]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def report(self, instance: str) -> dict[str, Any]:
        """What the unit's last run for that instance wrote down."""
        return dict(json.loads((self.root / "run" / f"{instance}.json").read_text()))

    def switch(self, name: str) -> str:
        """What was written to one of the kernel's switches; empty when nothing was."""
        return (self.root / "vm" / name).read_text()


@pytest.fixture(scope="session")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file that hosts get."""
    file = tmp_path_factory.mktemp("guard") / "memguard.pyz"
    file.write_bytes(zipapp_bytes(PROJECT, "workloads.memguard", ()))
    return file


@pytest.fixture
def host(tmp_path: Path, guard: Path) -> Host:
    """Short of memory by its page cache: 10 GiB free, 100 GiB to be had."""
    for name in ("vm", "state"):
        (tmp_path / name).mkdir()
    for name in ("drop_caches", "compact_memory"):
        (tmp_path / "vm" / name).touch()
    made = Host(tmp_path, guard)
    made.describe()
    made.has(free_gib=10, available_gib=100, cache_gib=90)
    return made
