"""Data sets are mirrored on time, by a process without privileges, into files that only root changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from told_node import SYNC

if TYPE_CHECKING:
    from machine import Machine

TIMER = "sparkfleet-datasets.timer"
FIRST_RUN_S = 180.0  # after a start: ten seconds, up to a minute so that not all hosts come at once, and the run itself
INTERVALS = 2  # late by that many of them is too late


@pytest.mark.control(id="DATASETS-01", severity="medium", source="sparkfleet")
def test_sync_is_started_in_time(machine: Machine) -> None:
    """The timer of the sync runs, now and after every start.

    systemd has it enabled and active.
    """
    unit = machine.units[TIMER]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{TIMER} is {state}"


@pytest.mark.control(id="DATASETS-02", severity="high", source="sparkfleet")
def test_last_sync_succeeded(machine: Machine) -> None:
    """The last sync came to its end without an error, and not longer ago than two intervals.

    The result that systemd keeps of its unit, after a start of the host once the first one had its time.
    """
    sync = machine.sync
    if sync["ActiveState"] == "activating":
        pytest.skip("it runs")
    assert sync["Result"] == "success", f"{sync['Result']}, code {sync['ExecMainStatus']}\n{machine.journal(SYNC)}"
    most_s = INTERVALS * machine.wanted["datasets"]["interval_s"] + FIRST_RUN_S
    ago_s = int(sync["uptime"]) - int(sync["ExecMainExitTimestampMonotonic"]) / 1e6
    assert ago_s <= most_s, f"the last one ended {ago_s / 60:.0f} min ago\n{machine.journal(SYNC)}"


@pytest.mark.control(id="DATASETS-03", severity="medium", source="sparkfleet")
def test_sync_has_no_privileges(machine: Machine) -> None:
    """The sync has no capability and can gain none, and writes nothing but data sets and metrics.

    What systemd says of its unit.
    """
    sync, wanted = machine.sync, machine.wanted["datasets"]
    limits = (sync["CapabilityBoundingSet"], sync["NoNewPrivileges"], sync["ProtectSystem"])
    assert limits == ("", "yes", "strict"), f"capabilities, no new privileges, protected system: {limits}"
    writes = set(sync["ReadWritePaths"].split())
    assert writes == {"/var/lib/sparkfleet/metrics", wanted["folder"]}, f"it may write {', '.join(sorted(writes))}"


@pytest.mark.control(id="DATASETS-04", severity="medium", source="sparkfleet")
def test_data_sets_are_roots(machine: Machine) -> None:
    """Everybody may read data sets, and only root may change them.

    Owner and mode of the first levels of their folder.
    """
    wrong = machine.writable_sets
    assert not wrong, f"not root's alone: {', '.join(wrong)}"
