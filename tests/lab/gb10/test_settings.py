"""What somebody sets on the simulated driver holds until the driver is unloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import gb10

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = ["--query-gpu=clocks.sm,clocks.mem,persistence_mode", "--format=csv,noheader,nounits"]


class Driver:
    """nvidia-smi on the scenario of a cap that was lost; `settings` is the driver's memory."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.program, self.settings = built / "nvidia-smi", folder / "driver"
        (folder / "scenario").write_text(gb10.scenario("clock-cap-lost"))
        paths = {"LD_LIBRARY_PATH": built, "NVML_SCENARIO": folder / "scenario", "NVML_SETTINGS": self.settings}
        self.environment = os.environ | {name: str(path) for name, path in paths.items()}

    def smi(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it."""
        return subprocess.run(
            [str(self.program), *words], check=False, capture_output=True, text=True, env=self.environment
        )

    def clocks(self) -> str:
        """SM clock, memory clock, persistence mode."""
        return self.smi(*CLOCK).stdout.strip()


@pytest.fixture
def driver(built: Path, tmp_path: Path) -> Driver:
    """One whose settings nobody touched."""
    return Driver(built, tmp_path)


def test_a_locked_range_caps_the_clock_until_it_is_reset(driver: Driver) -> None:
    """A cap of 2000 MHz gives the 1989 MHz that were recorded; without it the scenario's own clock is back."""
    assert driver.clocks() == "2489, [N/A], Enabled"
    assert driver.smi("--lock-gpu-clocks=208,2000").returncode == 0
    assert driver.clocks() == "1989, [N/A], Enabled"
    assert driver.smi("-rgc").returncode == 0
    assert driver.clocks() == "2489, [N/A], Enabled"


def test_an_unloaded_driver_forgets(driver: Driver) -> None:
    """Cap and persistence mode are gone with the driver's memory."""
    driver.smi("-lgc", "208,2000")
    driver.smi("-pm", "0")
    assert driver.clocks() == "1989, [N/A], Disabled"
    shutil.rmtree(driver.settings)
    assert driver.clocks() == "2489, [N/A], Enabled"


def test_who_may_not_set_is_told(driver: Driver) -> None:
    """Where the settings cannot be written, the exit code is nvidia-smi's own for missing permissions."""
    driver.settings.write_text("not a folder")
    assert driver.smi("-lgc", "208,2000").returncode == 4


def test_an_empty_range_is_refused(driver: Driver) -> None:
    """The lowest clock is not above the highest."""
    assert driver.smi("-lgc", "2000,208").returncode == 4
    assert driver.clocks() == "2489, [N/A], Enabled"
