"""NVML blocks for minutes: what is told meanwhile, by the watcher on a simulated clock and by the real exporter."""

from __future__ import annotations

import os
import re
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporters.gb10.snapshot import Snapshot
from exporters.gb10.watcher import MOST_STUCK, START_S, Watcher
from lab import gb10
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.exporters.gb10.conftest import Machine
    from tests.exporters.running import Exporter

LINE = '{"driver": "1", "gpus": [{"index": 0, "values": {"power_milliwatts": 1}, "errors": {}}]}'
UP, DOWN = "sparkfleet_gb10_nvml_up 1.0", "sparkfleet_gb10_nvml_up 0.0"
DEADLINE_S, TWELVE_MINUTES = 6.0, 720


class Driver:
    """A driver and its clock. Samplers are simulated at the watcher's edge: nothing here hangs for real."""

    def __init__(self, *, killable: bool) -> None:
        self.now, self.blocks, self.killable, self.started = 1000.0, False, killable, 0

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def start(self) -> Blockable:
        """A sampler."""
        self.started += 1
        return Blockable(self)


class Blockable:
    """A sampler that says a line a second; while the driver blocks it says nothing and perhaps cannot be killed."""

    def __init__(self, driver: Driver) -> None:
        self._driver, self._lines, self._hangs = driver, 0, False

    def line(self, timeout_s: float) -> str | None:
        """A line, or nothing in time; the third ends it."""
        if self._driver.blocks:
            self._driver.now += timeout_s
            self._hangs = True
            raise TimeoutError
        self._driver.now += 1
        self._lines += 1
        return LINE if self._lines < 3 else None

    def kill(self) -> None:
        """Takes effect at once, or when the driver lets go."""

    forget = kill

    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._driver.killable or not (self._hangs and self._driver.blocks)


@pytest.mark.parametrize("killable", [True, False])
def test_twelve_minutes_of_a_blocking_driver(*, killable: bool) -> None:
    """Stuck seconds grow without a break, no sample is told, at most two samplers hang; then all is well again."""
    driver = Driver(killable=killable)
    snapshot = Snapshot(DEADLINE_S, driver.clock)
    watcher = Watcher(snapshot, driver.start, DEADLINE_S)
    assert watcher.follow()
    assert snapshot.status().stuck_s == 0
    driver.blocks = True
    due = driver.now + START_S + DEADLINE_S
    while driver.now < due + TWELVE_MINUTES:
        if watcher.may_start():
            assert not watcher.follow()
        status = snapshot.status()
        assert status.stuck_s == driver.now - due
        assert status.sample is None
        assert status.stuck <= MOST_STUCK
        driver.now += 1
    hung = driver.started - 1
    assert hung > 10 if killable else hung == MOST_STUCK
    watcher.may_start()
    assert snapshot.status().stuck == (0 if killable else MOST_STUCK)
    driver.blocks = False
    assert watcher.may_start()
    assert watcher.follow()
    assert snapshot.status().stuck_s == 0
    assert snapshot.status().stuck == 0


def value(text: str, name: str) -> float:
    """The value of a series without labels."""
    found = re.search(rf"^sparkfleet_gb10_{name} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def is_running(pid: int) -> bool:
    """Whether a process lives; one that is dead and waits for init to bury it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gpu_series(text: str) -> list[str]:
    """The series about a GPU."""
    return [line for line in text.splitlines() if line.startswith("sparkfleet_gb10_gpu_")]


def set_available(machine: Machine, kilobytes: int) -> None:
    """Have the fake machine report another MemAvailable."""
    meminfo = machine.folder / "proc/meminfo"
    text = re.sub(r"(?m)^MemAvailable:.*$", f"MemAvailable: {kilobytes} kB", meminfo.read_text())
    gb10.replace(meminfo, text)


def restless(exporter: Exporter, name: str) -> Callable[[], bool]:
    """Whether a value has grown since this was asked."""
    before = value(exporter.scrape(), name)
    return lambda: value(exporter.scrape(), name) > before


def test_while_nvml_blocks_the_host_is_told_as_it_changes(machine: Machine) -> None:
    """For seconds no value of the GPU, a growing `stuck`, and memory as it is now; afterwards all values, stuck 0."""
    exporter = machine.exporter()
    assert value(exporter.until_scraped(UP), "nvml_stuck_seconds") == 0
    machine.load("inference", more="* = wait 600\n")
    exporter.until_scraped(DOWN)
    for kilobytes in (5_000_000, 4_000_000):
        exporter.until(restless(exporter, "nvml_stuck_seconds"))
        set_available(machine, kilobytes)
        exporter.until(lambda: value(exporter.scrape(), "memory_available_bytes") == kilobytes * 1024)  # noqa: B023  at once
        text = exporter.scrape()
        assert gpu_series(text) == []
        assert value(text, "nvml_stuck_seconds") > 0
        assert value(text, "nvml_sample_age_seconds") > 2
    machine.load("stress")
    text = exporter.until_scraped(UP, 'sparkfleet_gb10_gpu_temperature_celsius{gpu="0"} 86.0')
    assert value(text, "nvml_stuck_seconds") == 0


def test_a_machine_without_nvml_is_not_stuck(machine: Machine) -> None:
    """Neither a missing library nor a driver without a GPU counts as stuck, or as a sampler given up."""
    machine.library = None
    exporter = machine.exporter()
    exporter.until(lambda: "NVML Shared Library Not Found" in exporter.log.read_text())
    text = exporter.scrape()
    assert DOWN in text.splitlines()
    assert value(text, "nvml_stuck_seconds") == 0
    assert value(text, "nvml_sampler_restarts_total") == 0


def test_a_hung_sampler_goes_with_its_killed_exporter(machine: Machine) -> None:
    """After kill -9 of the exporter the child that hangs in the driver is gone: nobody would be left to kill it."""
    exporter = machine.exporter()
    exporter.until_scraped(UP)
    (child,) = exporter.children()
    machine.load("idle", more="* = wait 600\n")
    exporter.until(lambda: value(exporter.scrape(), "nvml_sample_age_seconds") > 0.5)  # five intervals: it hangs
    exporter.process.kill()
    exporter.process.wait()
    until(lambda: not is_running(child), "the end of the hung sampler, with its exporter", 10)


@pytest.mark.parametrize("how", ["unlinked", "replaced", "overwritten"])
def test_a_library_that_goes_in_the_middle_comes_back(how: str, machine: Machine, tmp_path: Path) -> None:
    """As a driver's upgrade does it: the sampler goes on or dies, a new one finds nothing, and later all returns."""
    assert machine.library
    shutil.copy(machine.library / "libnvidia-ml.so.1", tmp_path)
    library, kept = tmp_path / "libnvidia-ml.so.1", tmp_path / "kept"
    shutil.copy(library, kept)
    machine.library = tmp_path
    exporter = machine.exporter()
    exporter.until_scraped(UP)
    if how == "unlinked":
        library.unlink()
    elif how == "replaced":
        gb10.replace(library, "no library")
    else:
        library.write_text("no library")  # in place: the running sampler's own pages change, and it may die of that
    for child in exporter.children():
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    text = exporter.until_scraped(DOWN)
    assert gpu_series(text) == []
    exporter.until(lambda: "NVML Shared Library Not Found" in exporter.log.read_text())
    kept.rename(library)
    exporter.until_scraped(UP, "sparkfleet_gb10_nvml_stuck_seconds 0.0")
