"""Data sets are mirrored on time, by a process without privileges, into files that only root changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from told_node import SYNC

if TYPE_CHECKING:
    from machine import Machine

TIMER = "sparkfleet-datasets.timer"
INTERVALS = 2  # one sync may fail while the store is restarted
FOR_ITSELF_S = 600.0  # that a sync may take, as in the alert


@pytest.mark.control(id="DATASETS-01", severity="medium", source="sparkfleet")
def test_sync_is_started_in_time(machine: Machine) -> None:
    """The timer of the sync runs, now and after every start.

    systemd has it enabled and active.
    """
    unit = machine.units[TIMER]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{TIMER} is {state}"


@pytest.mark.control(id="DATASETS-02", severity="high", source="sparkfleet")
def test_data_sets_are_whole_and_current(machine: Machine) -> None:
    """No sync fails by this host's fault, and each data set was found whole within two intervals.

    systemd's result of the last run (a store that does not answer is not the host's), and the dates that `spark-node
    datasets status` tells. One that was never whole is skipped with the words of its last sync.
    """
    sync = machine.sync
    assert sync["Result"] == "success", f"{sync['Result']}, code {sync['ExecMainStatus']}\n{machine.journal(SYNC)}"
    most_s = INTERVALS * machine.wanted["datasets"]["interval_s"] + FOR_ITSELF_S
    old = [f"{name}: {one['age_s'] / 3600:.1f} h" for name, one in machine.sets.items() if one.get("age_s", 0) > most_s]
    assert not old, f"not found whole for long: {', '.join(old)}\n{machine.journal(SYNC)}"
    never = [f"{name}: {one.get('error') or 'no sync yet'}" for name, one in machine.sets.items() if "age_s" not in one]
    if never:
        pytest.skip("; ".join(never))


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
    wrong = machine.strange_sets
    assert not wrong, f"not root's alone, or not for everybody to read: {', '.join(wrong)}"
