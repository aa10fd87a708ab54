"""Who can become root, and how."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from reading import without_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

FIRST_ACCOUNT = "1000"  # what the installer gives to the account that it asks for (FIRST_UID of adduser.conf)
NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync")
UID, SHELL = 1, 5  # in the fields after the name


@pytest.mark.control(id="ACCESS-14", severity="high", source="CIS 5.2.4 (deviates), 5.2.5")
def test_only_the_automation_user_needs_no_password(machine: Machine) -> None:
    """Only the automation user becomes root without a password.

    The whole sudo policy as `cvtsudoers` reads it: rules and defaults, but for the one command of the memory guard.
    """
    spared = machine.wanted["memory"].get("sudo_command", "")
    other = sorted(set(without_password(machine.sudoers, spared)) - {machine.wanted["automation_user"]})
    assert not other, f"no password is asked of: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-15", severity="high", source="sparkfleet")
def test_sudo_is_for_the_described_people(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Group sudo is the described people, the account for the console, and at most the machine's set-up account.

    The members of the group. The set-up account may stay for the console, while no key opens it; it is reported.
    """
    wanted = {user for user, person in machine.wanted["users"].items() if person["sudo"]}
    wanted |= {machine.wanted["console_user"]} - {""}
    members = machine.sudo_group
    setup = {user for user in members - wanted if uid(machine, user) == FIRST_ACCOUNT} - set(machine.key_files)
    if setup:
        record_property("evidence", f"{' '.join(setup)}, the set-up account, can use sudo on the console")
    wrong = [f"{user} is not described" for user in sorted(members - wanted - setup)]
    wrong += [f"{user} is missing" for user in sorted(wanted - members)]
    assert not wrong, f"group sudo: {'; '.join(wrong)}"


@pytest.mark.control(id="ACCESS-16", severity="high", source="CIS 5.4.2.1, 7.2.5; os-07")
def test_root_is_one_account(machine: Machine) -> None:
    """No account but root has uid 0, and no two accounts share a uid.

    The accounts as the host itself looks them up.
    """
    counted = Counter(line[UID] for line in machine.accounts.values())
    shared = [f"{account} (uid {line[UID]})" for account, line in machine.accounts.items() if counted[line[UID]] > 1]
    assert uid(machine, "root") == "0", f"root has uid {uid(machine, 'root')}"
    assert not shared, f"a uid in common: {', '.join(shared)}"


@pytest.mark.control(id="ACCESS-17", severity="high", source="CIS 7.2.1, 7.2.2")
def test_no_account_has_an_empty_password(machine: Machine) -> None:
    """No account lets people in without a password, and no password stands where everybody reads it.

    /etc/shadow, of which no hash leaves the host, and /etc/passwd.
    """
    empty = [account for account, state in machine.passwords.items() if state == "empty"]
    plain = [account for account, line in machine.accounts.items() if line[0] != "x"]
    assert not empty, f"an empty password: {', '.join(empty)}"
    assert not plain, f"a password in /etc/passwd: {', '.join(plain)}"


@pytest.mark.control(id="ACCESS-30", severity="medium", source="sparkfleet")
def test_passwords_are_for_people(machine: Machine) -> None:
    """Only people and the account for the console have a password: root and services have none to guess.

    /etc/shadow, of which no hash leaves the host.
    """
    people = {*machine.wanted["users"], machine.wanted["console_user"]}
    others = [
        account
        for account, state in machine.passwords.items()
        if state == "set" and account not in people and uid(machine, account) != FIRST_ACCOUNT
    ]
    assert not others, f"a password have also: {', '.join(others)}"


@pytest.mark.control(id="ACCESS-31", severity="medium", source="CIS 5.4.2.7")
def test_services_have_no_shell(machine: Machine) -> None:
    """No account of a service has a login shell.

    Every account below the first one of people, but root and the automation user.
    """
    keep = {"root", *machine.wanted["users"]}
    loose = [
        f"{account} ({line[SHELL]})"
        for account, line in machine.accounts.items()
        if int(line[UID]) < int(FIRST_ACCOUNT) and account not in keep and line[SHELL] not in NO_SHELLS
    ]
    assert not loose, f"a login shell have: {', '.join(loose)}"


@pytest.mark.control(id="ACCESS-32", severity="high", source="sparkfleet")
def test_the_console_account_works_at_the_console_alone(machine: Machine) -> None:
    """The account for the console has a password and sudo, and never comes in by network.

    Its password is set, sshd denies it, and no key lies there for it.
    """
    user = machine.wanted["console_user"]
    if not user:
        pytest.skip("no account for the console is described (access.console)")
    assert user in machine.accounts, f"there is no account {user}"
    wrong = [] if machine.passwords.get(user) == "set" else [f"its password is {machine.passwords.get(user)}"]
    wrong += [] if user in machine.sudo_group else ["it cannot use sudo"]
    wrong += [] if user in machine.sshd["root"].get("denyusers", []) else ["sshd does not deny it"]
    wrong += [f"a key opens it: {', '.join(machine.key_files[user].keys)}"] if user in machine.key_files else []
    assert not wrong, f"{user}: {'; '.join(wrong)}"


def uid(machine: Machine, account: str) -> str:
    """The account's uid; empty when there is no such account."""
    return machine.accounts[account][UID] if account in machine.accounts else ""
