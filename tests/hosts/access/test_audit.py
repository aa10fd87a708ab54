"""What is written down of who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reading import defaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

UNIT = "auditd.service"
# What decides who gets in, and what runs as root: a change of any of it is written down under this key.
WATCHED = {
    "/etc/ssh": "ssh", "/etc/passwd": "accounts", "/etc/shadow": "accounts", "/etc/group": "accounts",
    "/etc/gshadow": "accounts", "/etc/pam.d": "accounts", "/etc/sudoers": "sudo", "/etc/sudoers.d": "sudo",
    "/etc/sparkfleet": "sparkfleet", "/var/lib/sparkfleet": "sparkfleet", "/usr/local/lib/sparkfleet": "sparkfleet",
    "/etc/systemd/system": "units", "/etc/audit": "audit", "/etc/modprobe.d": "modules", "/etc/localtime": "time",
}  # fmt: skip
OF_TAILNET = {"/var/lib/tailscale/tailscaled.state": "tailnet", "/etc/default/tailscaled": "tailnet"}
CALLS = {"init_module": "modules", "finit_module": "modules", "delete_module": "modules", "settimeofday": "time"}


@pytest.mark.control(id="ACCESS-45", severity="medium", source="CIS 5.2.3 (deviates)")
def test_sudo_tells_what_it_runs(machine: Machine) -> None:
    """Each command that somebody runs as root is written down with who ran it.

    This very check ran something by sudo, and reads in the journal what sudo told of it.
    """
    assert machine.sudo_told, "sudo told the journal nothing of what this check ran"
    user = machine.wanted["automation_user"]
    assert any(user in line for line in machine.sudo_told), f"told is: {machine.sudo_told[0][:200]}"


@pytest.mark.control(id="ACCESS-46", severity="medium", source="CIS 5.2.2, 5.2.6")
def test_sudo_keeps_terminals_apart_and_asks_again(machine: Machine) -> None:
    """A program run as root gets a terminal of its own; people are asked for their password again, told of wholly.

    The defaults in the whole sudo policy: use_pty, timestamp_timeout of at most 15 minutes, log_subcmds for people.
    """
    found = defaults(machine.sudoers)
    assert found.get("use_pty") is True, "use_pty is not set"
    timeout = float(found.get("timestamp_timeout", "15"))
    assert 0 <= timeout <= 15, f"timestamp_timeout is {timeout:g} minutes"
    assert found.get("%sudo:log_subcmds") is True, "log_subcmds is not set for the group sudo"


@pytest.mark.control(id="ACCESS-47", severity="medium", source="CIS 6.2.1.1, 6.2.1.2; package-08 (deviates)")
def test_the_auditor_runs(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Auditd is there, runs, and starts with the host.

    The unit is enabled and active; in a container, which has no audit of its own, enabled.
    """
    unit = machine.units[UNIT]
    assert unit["UnitFileState"] == "enabled", f"{UNIT} is {unit['UnitFileState'] or 'not there'}"
    if machine.container:
        record_property("evidence", f"in a container ({machine.container}): enabled, and without effect")
    else:
        assert unit["ActiveState"] == "active", f"{UNIT} is {unit['ActiveState']}\n{machine.journal(UNIT)}"


@pytest.mark.control(id="ACCESS-48", severity="medium", source="CIS 6.2.3.1, 6.2.3.4, 6.2.3.8, 6.2.3.19")
def test_changes_of_the_ways_in_are_written_down(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Every change of keys, accounts, sudo, sshd, the tailnet's state, units, modules and the clock is written down.

    The rules that the kernel has; in a container, which has no audit of its own, those of its files.
    """
    watched = {**WATCHED, **(OF_TAILNET if machine.wanted["tailnet"] else {})}
    missing = [path for path, key in watched.items() if f"-w {path} -p wa -k {key}" not in machine.audit_rules]
    calls = [rule for rule in machine.audit_rules if rule.startswith("-a ") and "exit" in rule]
    missing += [call for call, key in CALLS.items() if not any(call in rule and key in rule for rule in calls)]
    assert not missing, f"not written down: {', '.join(missing)}"
    record_property("evidence", f"in a container ({machine.container}): by its files" if machine.container else "")
