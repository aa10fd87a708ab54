"""Room for a model is made by the guard, by those who may, and what matters outlives a host without memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reading import granted
from told_memory import ASKED, GUARD, NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

# dockerd 128 MiB and containerd 64 beside the 160 of sshd, tailscaled and exporter, and what is started now and then.
PROMISED = 512 << 20
ENGINES = ("docker.service", "containerd.service")
EXPORTER = "sparkfleet-gb10-exporter.service"
# The kernel's own value is at most 256 MiB, and transparent huge pages raise it by some dozens. Raised to 4 GiB it took
# 6.2 GiB from MemAvailable, and vLLM no longer started (reported).
MOST_MIN_FREE = 1 << 30


@pytest.mark.control(id="MEMORY-01", severity="high", source="sparkfleet")
def test_the_guard_works(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The memory guard is there, reads the host's memory, and counts what its unit did.

    A run of it that changes nothing, and its metrics, which the role's own first run has begun.
    """
    report = machine.memguard
    assert report, f"{GUARD} is not there"
    assert report["before"]["available_bytes"] > 0, f"it tells {report['before']}"
    assert machine.memguard_runs > 0, "its unit has never run: no metrics"
    gib = {name: number / 2**30 for name, number in report["before"].items()}
    simulated = " (simulated)" if report["simulated"] else ""
    words = f"{gib['free_bytes']:.0f} GiB free, {gib['allocatable_bytes']:.0f} can be allocated{simulated}"
    record_property("evidence", words)


@pytest.mark.control(id="MEMORY-02", severity="high", source="sparkfleet")
def test_the_described_people_start_the_guard_and_nothing_else(machine: Machine) -> None:
    """The described people start the guard without a password: no other unit, no other verb, not over a serving job.

    What polkit says of a process of each of them, and of nobody's; with `rule: sudo` the rules that name that command.
    """
    wanted = machine.wanted["memory"]
    if wanted["rule"] == "sudo":
        people = granted(machine.sudoers, wanted["sudo_command"])
        assert people == set(wanted["callers"]), f"sudo lets {', '.join(sorted(people)) or 'nobody'} start the guard"
        return
    rights, (may, *may_not) = machine.guard_rights, ASKED
    people = {user for user, _, _ in rights} - {NOBODY}
    assert people or not wanted["callers"], "none of the described people has an account"
    missing = sorted(user for user in people if not rights[user, *may])
    assert not missing, f"may not start the guard: {', '.join(missing)}"
    wrong = [
        f"{user} may {verb} {unit}" for (user, verb, unit), yes in rights.items() if yes and (verb, unit) in may_not
    ]
    wrong += [f"{NOBODY} may {' '.join(may)}"] if rights.get((NOBODY, *may)) else []
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="MEMORY-03", severity="medium", source="GB10")
def test_exporter_and_engine_keep_their_memory(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The exporter and the container engine keep their memory and are ended late when a model takes all of it.

    systemd's word: each is in sparkfleet.slice with MemoryMin and a negative OOM score, and the slice promises enough.
    """
    found = machine.survivors
    promised = int(found.get("sparkfleet.slice", {}).get("MemoryMin", 0))
    wrong = [] if promised >= PROMISED else [f"sparkfleet.slice promises {promised >> 20} MiB"]
    there = [unit for unit in (EXPORTER, *ENGINES) if unit in found]
    for unit in there:
        of_it = found[unit]
        wrong += [] if of_it["Slice"] == "sparkfleet.slice" else [f"{unit} is in {of_it['Slice']}"]
        wrong += [] if int(of_it["MemoryMin"]) else [f"{unit} has no MemoryMin"]
        wrong += [] if int(of_it["OOMScoreAdjust"]) < 0 else [f"{unit} has the score {of_it['OOMScoreAdjust']}"]
    assert not wrong, "; ".join(wrong)
    record_property("evidence", ", ".join(there) or "none of them is installed")


@pytest.mark.control(id="MEMORY-04", severity="medium", source="GB10")
def test_the_kernel_keeps_no_memory_from_models(machine: Machine) -> None:
    """The kernel's own reserve is not raised: it would lower what can be allocated by more than itself.

    vm.min_free_kbytes, at most 1 GiB.
    """
    assert machine.min_free_bytes <= MOST_MIN_FREE, f"vm.min_free_kbytes is {machine.min_free_bytes >> 20} MiB"


@pytest.mark.control(id="MEMORY-05", severity="medium", source="sparkfleet")
def test_described_serving_units_exist(machine: Machine) -> None:
    """Every unit that is described as serving is one that this host knows: a misspelt one would never be active.

    systemd's list of unit files and of loaded units.
    """
    if not machine.wanted["memory"]["serving"]:
        pytest.skip("none is described: only GPU programs are looked for")
    unknown = [unit for unit, count in machine.serving_units.items() if not count]
    assert not unknown, f"this host has no {', '.join(unknown)}"
