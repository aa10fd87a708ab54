"""The exporter process while the driver hangs, loses the GPU, lacks a symbol or is not there: no crash and no lie."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import gb10

if TYPE_CHECKING:
    from tests.exporters.gb10.conftest import Machine

UP, DOWN = "sparkfleet_gb10_nvml_up 1.0", "sparkfleet_gb10_nvml_up 0.0"
NOBODY = 65534


def gpu_series(text: str) -> list[str]:
    """The names of the series about a GPU."""
    return [line.split("{")[0] for line in text.splitlines() if line.startswith("sparkfleet_gb10_gpu_")]


def is_running(pid: int) -> bool:
    """Whether a process lives; one that is dead and waits for init to bury it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_host_metrics(text: str) -> bool:
    """Whether memory and heat of the host are told."""
    return "\nsparkfleet_gb10_memory_available_bytes " in text and 'thermal_zone_celsius{name="TSOC"' in text


def test_a_hung_driver_silences_the_gpu_only(machine: Machine) -> None:
    """While NVML blocks, GPU series vanish, the host's go on, scrapes stay quick; then all returns."""
    exporter = machine.exporter()
    assert gpu_series(exporter.until_scraped(UP))
    machine.load("idle", more="* = wait 600\n")
    text = exporter.until_scraped(DOWN)
    assert gpu_series(text) == []
    assert has_host_metrics(text)
    started = time.monotonic()
    assert has_host_metrics(exporter.scrape())
    assert time.monotonic() - started < 2  # the driver hangs for 600
    exporter.until_scraped("sparkfleet_gb10_nvml_sampler_restarts_total 1.0", "sparkfleet_gb10_nvml_stuck_samplers 0.0")
    machine.load("stress")
    exporter.until_scraped(UP, 'sparkfleet_gb10_gpu_temperature_celsius{gpu="0"} 86.0')


def test_a_lost_gpu_is_not_up(machine: Machine) -> None:
    """Code 15 from every call leaves the GPU's own `up` at 0, no value of it, and NVML not up."""
    machine.load("idle", more="* = error 15\n")
    text = machine.exporter().until_scraped(DOWN, 'sparkfleet_gb10_gpu_up{gpu="0"} 0.0')
    assert gpu_series(text) == ["sparkfleet_gb10_gpu_up"]
    assert has_host_metrics(text)


def test_one_refused_reading_is_absent(machine: Machine) -> None:
    """An unsupported reading has no series, and NVML stays up."""
    exporter = machine.exporter()
    assert "sparkfleet_gb10_gpu_power_watts" in gpu_series(exporter.until_scraped(UP))
    machine.load("idle", more="nvmlDeviceGetPowerUsage = error 3\n")
    text = exporter.until(lambda: found if "gpu_power_watts" not in (found := exporter.scrape()) else None)
    assert UP in text.splitlines()
    assert "sparkfleet_gb10_gpu_temperature_celsius" in gpu_series(text)


def test_an_older_library_without_symbols_still_gives_the_rest(machine: Machine, tmp_path: Path) -> None:
    """With the margin and the field values really absent from the library, the other readings come and NVML is up."""
    absent = ("nvmlDeviceGetMarginTemperature", "nvmlDeviceGetFieldValues")
    machine.library = gb10.build(tmp_path / "older", absent=absent)
    series = gpu_series(machine.exporter().until_scraped(UP))
    assert "sparkfleet_gb10_gpu_temperature_celsius" in series
    assert not {"sparkfleet_gb10_gpu_temperature_margin_celsius", "sparkfleet_gb10_gpu_event_reason_seconds_total"} & {
        *series
    }


def test_without_a_library_the_host_is_told(machine: Machine) -> None:
    """On a machine without NVML the exporter serves the host's metrics, NVML is not up, and the log says why."""
    machine.library = None
    exporter = machine.exporter()
    exporter.until(lambda: "NVML Shared Library Not Found" in exporter.log.read_text())
    text = exporter.until_scraped(DOWN, 'sparkfleet_gb10_collector_success{collector="gpu"} 0.0')
    assert has_host_metrics(text)
    assert gpu_series(text) == []


def test_a_driver_that_comes_later_is_found(machine: Machine) -> None:
    """An exporter started before the driver takes it up without a restart."""
    scenario = machine.folder / "scenario"
    scenario.unlink()
    exporter = machine.exporter()
    exporter.until_scraped(DOWN)
    machine.load("idle")
    exporter.until_scraped(UP)


def test_several_gpus_with_memory_of_their_own(machine: Machine) -> None:
    """Two GPUs have two sets of series; where NVML has memory figures they are told; a lost one takes `up` with it."""
    second = (
        "[gpu 1]\nnvmlDeviceGetUUID = GPU-two\nnvmlDeviceGetMemoryInfo = 1000 250\nnvmlDeviceGetPowerUsage = 700000\n"
    )
    machine.load("idle", more="nvmlDeviceGetCount_v2 = 2\n" + second)
    exporter = machine.exporter()
    text = exporter.until_scraped(UP)
    assert 'sparkfleet_gb10_gpu_power_watts{gpu="0"} 3.0' in text
    assert 'sparkfleet_gb10_gpu_power_watts{gpu="1"} 700.0' in text
    assert [line for line in text.splitlines() if line.startswith("sparkfleet_gb10_gpu_memory")] == [
        'sparkfleet_gb10_gpu_memory_total_bytes{gpu="1"} 1000.0',
        'sparkfleet_gb10_gpu_memory_used_bytes{gpu="1"} 250.0',
    ]
    machine.load("idle", more="nvmlDeviceGetCount_v2 = 2\n" + second + "* = error 15\n")
    exporter.until_scraped(DOWN, 'sparkfleet_gb10_gpu_up{gpu="0"} 1.0', 'sparkfleet_gb10_gpu_up{gpu="1"} 0.0')


def test_a_killed_sampler_is_replaced(machine: Machine) -> None:
    """After kill -9 of the child a new one samples, and the restart is counted."""
    exporter = machine.exporter()
    exporter.until_scraped(UP)
    (first,) = exporter.children()
    os.kill(first, signal.SIGKILL)
    exporter.until_scraped(UP, "sparkfleet_gb10_nvml_sampler_restarts_total 1.0")
    assert first not in exporter.children()


def test_it_ends_at_once_with_its_hung_sampler(machine: Machine) -> None:
    """SIGTERM ends the exporter with 0, and with it the child that hangs in the driver; neither is waited for."""
    exporter = machine.exporter()
    exporter.until_scraped(UP)
    machine.load("idle", more="* = wait 600\n")
    (child,) = exporter.children()
    started = time.monotonic()
    assert exporter.stop() == 0
    assert time.monotonic() - started < 10  # the driver hangs for 600
    end = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < end, "the hung sampler is still there"
        time.sleep(0.05)


def test_a_sampler_without_its_exporter_ends(machine: Machine) -> None:
    """After kill -9 of the exporter its sampler finds nobody reading and leaves by itself."""
    exporter = machine.exporter()
    exporter.until_scraped(UP)
    (child,) = exporter.children()
    exporter.process.kill()
    exporter.process.wait()
    end = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < end, "the orphaned sampler goes on"
        time.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_needs_no_privileges(packed_machine: Machine) -> None:
    """The packed exporter under `python3 -I`, as nobody, tells GPU, memory and heat."""
    text = packed_machine.exporter(user=NOBODY).until_scraped(UP)
    assert gpu_series(text)
    assert has_host_metrics(text)
