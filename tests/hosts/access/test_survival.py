"""The way in stays when memory runs out, and no change of it is left half done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

SLICE = "sparkfleet.slice"
DAY_S = 86400
KINDS, S3 = {"ssh", "host-keys"}, "/etc/sparkfleet/s3.json"


@pytest.mark.control(id="ACCESS-49", severity="medium", source="GB10")
def test_the_way_in_keeps_its_memory(machine: Machine) -> None:
    """Sshd and tailscaled keep their memory when a model takes all of it, and come back whatever ends them.

    systemd's word: each is in sparkfleet.slice, with MemoryMin for itself and the slice, and Restart=always.
    """
    promised = int(machine.units[SLICE]["MemoryMin"])
    wrong = [] if promised else [f"{SLICE} has no MemoryMin"]
    for unit in ways_in(machine):
        found = machine.units[unit]
        wrong += [] if found["ControlGroup"].startswith(f"/{SLICE}/") else [f"{unit} is in {found['ControlGroup']}"]
        wrong += [] if int(found["MemoryMin"]) else [f"{unit} has no MemoryMin"]
        wrong += [] if found["Restart"] == "always" else [f"{unit} is restarted {found['Restart']}"]
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="ACCESS-50", severity="medium", source="GB10")
def test_the_way_in_is_ended_last(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The kernel ends sshd and tailscaled last when memory runs out, and protects nothing that people start.

    The scores of the running processes; that of this check's own login is the usual one.
    """
    scores = machine.oom_scores
    assert scores["own"] == "0", f"what people start has the score {scores['own']}: nothing else would be ended for it"
    if machine.container:
        record_property("evidence", f"in a container ({machine.container}) sshd may not lower its own score")
    elif machine.runs("ssh.service"):
        assert scores["ssh"] == "-1000", f"sshd has the score {scores['ssh']}"
    if "tailscaled.service" in ways_in(machine):
        assert machine.units["tailscaled.service"]["OOMScoreAdjust"] == "-900", "tailscaled has no score of its own"


@pytest.mark.control(id="ACCESS-51", severity="high", source="sparkfleet")
def test_no_change_of_the_way_in_is_left_open(machine: Machine) -> None:
    """No change of the way in waits for a confirmation that will not come.

    A guard that is armed has a timer that undoes the change.
    """
    armed, timer = machine.guard
    assert timer or not armed, (
        "a change was begun and neither confirmed nor undone; `spark lockdown` goes on from there"
    )


@pytest.mark.control(id="ACCESS-52", severity="low", source="sparkfleet")
def test_no_run_was_cut_off(machine: Machine) -> None:
    """No run that changes this host was killed in the middle.

    Whoever stands beside the host's lock is still there.
    """
    pid = machine.lock_holder.get("pid")
    gone = pid is not None and machine.says("test -d /proc/%s && echo there || echo gone", str(pid)).strip() == "gone"
    who = f'"{machine.lock_holder.get("purpose")}" of {machine.lock_holder.get("who")}'
    assert not gone, f"{who}, begun {machine.lock_holder.get('began')}, left without a word; run it again"


@pytest.mark.control(id="ACCESS-53", severity="medium", source="sparkfleet")
def test_no_key_is_overdue(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The host knows since when each of its keys is in use, and none of them is overdue.

    The dates that the host notes each day, for the kinds of key that it has.
    """
    now, dates = machine.due_dates
    kinds = KINDS | ({"s3"} if S3 in machine.wanted["secret_files"] else set())
    kinds |= {"tailnet"} if machine.wanted["tailnet"] else set()
    unknown = sorted(kinds - dates.keys())
    assert not unknown, f"no date is known for: {', '.join(unknown)}"
    late = [f"{kind} for {(now - date) / DAY_S:.0f} days" for kind, date in dates.items() if date < now]
    assert not late, f"overdue: {', '.join(late)}; `spark rotate` replaces them"
    record_property(
        "evidence", ", ".join(f"{kind} in {(d - now) / DAY_S:.0f} days" for kind, d in sorted(dates.items()))
    )


def ways_in(machine: Machine) -> list[str]:
    """The running services through which this host is entered."""
    return [u for u in ("ssh.service", "tailscaled.service") if u in machine.units and machine.runs(u)]
