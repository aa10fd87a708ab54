"""FOLDER/scenario → FOLDER/sys, proc, root, tools and kmsg, written anew each second where the scenario moves them.

    python3 -m lab.gb10.player FOLDER [--once]

A scenario starts when its file was written. Another scenario is seen within a second. Standard library only: within a
stand-in it runs as sparkfleet-lab-gb10.service. Simulated.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lab.gb10 import disk, kernel_log, tree
from lab.gb10.statements import Statements, statements

STEP_S = 1.0


class Player:
    """Keeps one folder in step with its scenario."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started = -1.0
        self._wanted = Statements()
        self._written: dict[str, str] = {}

    def step(self) -> None:
        """What this moment needs; without a scenario file nothing. ValueError: the scenario makes no sense."""
        with tree.alone(self.folder):
            self._step()

    def _step(self) -> None:
        try:
            started = (self.folder / "scenario").stat().st_mtime
        except FileNotFoundError:
            return
        age_s = max(0.0, time.time() - started)
        if started != self._started:
            self._wanted, self._started, self._written = Statements(), started, {}
            self._wanted = statements((self.folder / "scenario").read_text())
            tree.write(self._wanted, self.folder, age_s)
        tree.write_moving(self._wanted, self.folder, age_s, self._written)
        disk.ensure(self.folder, self._wanted.fills, age_s)
        if self._wanted.records:
            kernel_log.emit(self.folder, self._wanted.records, started, age_s)

    def run(self) -> None:
        """Step by step, for ever; a scenario that makes no sense is told and left."""
        while True:
            began = time.monotonic()
            try:
                self.step()
            except ValueError as error:
                sys.stderr.write(f"{self.folder / 'scenario'}: {error}\n")
            time.sleep(max(0.0, began + STEP_S - time.monotonic()))


def main(arguments: list[str]) -> int:
    """Play until told to stop, or one step."""
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(__doc__ or "")
        return 2
    player = Player(Path(arguments[0]))
    if "--once" in arguments:
        player.step()
    else:
        player.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
