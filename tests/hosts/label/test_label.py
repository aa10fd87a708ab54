"""Strangers' documents meet a user who can do nothing, in an environment that is there, and its figures are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from told_label import EXPORTER

if TYPE_CHECKING:
    from machine import Machine

METRIC = "sparkfleet_roi_"


@pytest.mark.control(id="LABEL-01", severity="high", source="sparkfleet")
def test_documents_meet_a_user_without_privileges(machine: Machine) -> None:
    """The label loop runs as a user of its own, without any capability, and writes nothing but its workspace.

    What systemd says of the unit of its verbs.
    """
    unit, wanted = machine.label_unit, machine.wanted["label"]
    assert unit["User"] == wanted["user"], f"it runs as {unit['User'] or 'root'}"
    limits = (unit["CapabilityBoundingSet"], unit["NoNewPrivileges"], unit["ProtectSystem"], unit["ProtectHome"])
    assert limits == ("", "yes", "strict", "yes"), (
        f"capabilities, no new privileges, protected system and homes: {limits}"
    )
    assert unit["ReadWritePaths"].split() == wanted["writes"], f"it may write {unit['ReadWritePaths']}"


@pytest.mark.control(id="LABEL-02", severity="high", source="sparkfleet")
def test_nobody_can_be_that_user(machine: Machine) -> None:
    """The loop's user has no shell and no password, and is in no group but its own.

    The account as the host itself looks it up.
    """
    account = machine.label_account
    assert account["shell"].endswith(("nologin", "false")), (
        f"its shell is {account['shell'] or 'not there: no account'}"
    )
    assert account["password"].startswith(("!", "*")), "it has a password"
    assert account["groups"] == machine.wanted["label"]["user"], f"its groups are {account['groups']}"


@pytest.mark.control(id="LABEL-03", severity="high", source="sparkfleet")
def test_secrets_are_copies_for_the_time_of_a_job(machine: Machine) -> None:
    """The loop's verbs get the described secrets, and no other, from files that only root can read.

    The credentials of their unit; that the files are root's alone is BASE-11.
    """
    found, wanted = machine.label_credentials, {"request", *machine.wanted["label"]["credentials"]}
    assert found == wanted, f"they get {', '.join(sorted(found))}; described are {', '.join(sorted(wanted))}"


@pytest.mark.control(id="LABEL-04", severity="medium", source="sparkfleet")
def test_only_the_loop_changes_its_workspace(machine: Machine) -> None:
    """Everybody may read the workspace, and only the loop's user may change it.

    Owner and mode of the first levels of the folder.
    """
    assert not machine.strange_workspace, f"not the loop's alone: {', '.join(machine.strange_workspace)}"


@pytest.mark.control(id="LABEL-05", severity="medium", source="sparkfleet")
def test_figures_are_told(machine: Machine) -> None:
    """The exporter of the loop's figures runs, now and after every start, and answers.

    systemd has its unit enabled and active; its metrics, fetched on the host.
    """
    unit = machine.units[EXPORTER]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']} ({unit['SubState']})"
    assert state == "enabled, active (running)", f"{EXPORTER} is {state}\n{machine.journal(EXPORTER)}"
    url = f"http://127.0.0.1:{machine.wanted['label']['port']}/metrics"
    text = machine.fetch(url)[url]
    assert METRIC in text, f"{url} answers: {text[:200]}\n{machine.journal(EXPORTER)}"


@pytest.mark.control(id="LABEL-06", severity="medium", source="sparkfleet")
def test_recurring_runs_come(machine: Machine) -> None:
    """The described recurring runs come, and no other, at their times, and what was missed is made up for.

    systemd has exactly their timers enabled and active, with their calendars, and keeps when each came last.
    """
    found, wanted = machine.label_timers, machine.wanted["label"]["timers"]
    assert found.keys() == wanted.keys(), f"there are {', '.join(sorted(found))}; described: {', '.join(wanted)}"
    for timer, calendar in wanted.items():
        told = found[timer]
        state = (told["UnitFileState"], told["ActiveState"], told["Persistent"])
        assert state == ("enabled", "active", "yes"), f"{timer} is {state}"
        assert f"OnCalendar={calendar} " in told["TimersCalendar"], f"{timer}: {told['TimersCalendar']}"
