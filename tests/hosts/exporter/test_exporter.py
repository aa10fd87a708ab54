"""The exporter tells the truth, and needs no privilege for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from machine import eventually
from reading import values, writable_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

UNIT = "sparkfleet-gb10-exporter.service"
READER, TIMER = "sparkfleet-gb10-privileged.service", "sparkfleet-gb10-privileged.timer"
AGE = "sparkfleet_gb10_privileged_age_seconds"
OLDEST_S = 120.0  # it runs every 30 s; after 300 the exporter no longer believes it
FIRST_RUN_S = 20.0  # after a start the exporter looks for the file every few seconds
GPU = "sparkfleet_gb10_gpu_temperature_celsius"
MEMORY = "sparkfleet_gb10_memory_total_bytes"
PLAUSIBLE_CELSIUS = (5.0, 110.0)  # a GB10 powers itself off at 104.85


@pytest.mark.control(id="EXPORTER-01", severity="high", source="sparkfleet")
def test_exporter_runs(machine: Machine) -> None:
    """The exporter runs, now and after every start.

    systemd has its unit enabled and active.
    """
    unit = machine.units[UNIT]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']} ({unit['SubState']})"
    assert state == "enabled, active (running)", f"{UNIT} is {state}\n{machine.journal(UNIT)}"


@pytest.mark.control(id="EXPORTER-02", severity="high", source="sparkfleet")
def test_exporter_has_no_privileges(machine: Machine) -> None:
    """The exporter is not root, has no capability and can gain none, filters its system calls, and writes nowhere.

    What the kernel says of the running process, and its mounts.
    """
    machine.need(UNIT, "EXPORTER-01")
    place = f"/proc/{machine.units[UNIT]['MainPID']}"
    status = dict(line.split(":\t", 1) for line in machine.says(f"cat {place}/status").splitlines() if ":\t" in line)
    user, capabilities, locked = status["Uid"].split()[1], int(status["CapEff"], 16), status["NoNewPrivs"]
    assert user != "0", "it runs as root"
    assert (capabilities, locked) == (0, "1"), f"capabilities {capabilities:#x}, NoNewPrivileges {locked}"
    assert status["Seccomp"] == "2", "its system calls are not filtered"
    root = writable_root(machine.says(f"cat {place}/mountinfo"))
    assert not root, f"it could write to the whole file system: {root}"


@pytest.mark.control(id="EXPORTER-03", severity="high", source="sparkfleet")
def test_exporter_tells_plausible_values(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The exporter tells a plausible GPU temperature and the kernel's size of memory.

    Its metrics, fetched on the host, against /proc/meminfo and what a GB10 can have.
    """
    machine.need(UNIT, "EXPORTER-01")
    url = f"http://127.0.0.1:{machine.wanted['exporter_port']}/metrics"
    text = machine.fetch(url)[url]
    assert MEMORY in text, f"{url} answers: {text[:200]}\n{machine.journal(UNIT)}"
    temperatures = values(text, GPU)
    assert temperatures, f"no {GPU}: NVML is silent\n{machine.journal(UNIT)}"
    low, high = PLAUSIBLE_CELSIUS
    assert all(low <= celsius <= high for celsius in temperatures), f"GPU temperature: {temperatures} degrees C"
    kibibytes = int(machine.says("awk '/^MemTotal:/ {print $2}' %s", f"{machine.wanted['procfs']}/meminfo"))
    assert values(text, MEMORY) == [kibibytes * 1024], (
        f"{MEMORY} is {values(text, MEMORY)}, the kernel has {kibibytes} KiB"
    )
    simulated = " (simulated)" if "simulated" in text.lower() else ""
    record_property("evidence", f"GPU at {temperatures[0]:.0f} °C, {kibibytes / 2**20:.0f} GiB of memory{simulated}")


@pytest.mark.control(id="EXPORTER-04", severity="medium", source="sparkfleet")
def test_what_only_root_may_read_is_handed_over(machine: Machine) -> None:
    """The reader that must be root runs on its timer, and the exporter tells what it found a short while ago.

    The timer is active, and the exporter gives the age of what it handed over.
    """
    machine.need(UNIT, "EXPORTER-01")
    assert machine.runs(TIMER), f"{TIMER} does not run\n{machine.journal(TIMER)}"
    url = f"http://127.0.0.1:{machine.wanted['exporter_port']}/metrics"

    def complaints() -> list[str]:
        ages = values(machine.fetch(url)[url], AGE)
        return [] if ages and ages[0] <= OLDEST_S else [f"{AGE} is {ages or 'not there'}"]

    wrong = eventually(complaints, FIRST_RUN_S)
    assert not wrong, f"{'; '.join(wrong)}\n{machine.journal(READER)}"
