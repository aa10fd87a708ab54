"""A folder → a simulated GB10 machine that several exporters can look at side by side, and its faults."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import gb10
from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEALTHY = "inference"


@dataclass(frozen=True)
class Simulated:
    """`folder` holds scenario, proc/, sys/ and kmsg; `library` the folder with libnvidia-ml.so.1."""

    folder: Path
    library: Path

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator[Simulated]:
        """A healthy machine under load, its files moving; the player ends with the context."""
        library = folder / "library"
        library.mkdir()
        simulated = cls(folder, gb10.build(library))
        simulated.load(HEALTHY)
        player = subprocess.Popen([sys.executable, "-m", "lab.gb10.player", str(folder)], cwd=CHECKOUT)
        try:
            yield simulated
        finally:
            player.terminate()
            player.wait(10)

    def load(self, scenario: str) -> None:
        """Switch to a scenario, as of now."""
        gb10.put(gb10.scenario(scenario), self.folder)

    def block(self, seconds: int) -> None:
        """Let every NVML call about a GPU hang for so long; the rest of the machine goes on as before."""
        gb10.put(gb10.scenario(HEALTHY) + f"* = wait {seconds}\n", self.folder)
