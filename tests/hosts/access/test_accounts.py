"""Who can become root, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reading import without_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

FIRST_ACCOUNT = "1000"  # what the installer gives to the account that it asks for (FIRST_UID of adduser.conf)


@pytest.mark.control(id="ACCESS-14", severity="high", source="CIS 5.2.4 (deviates), 5.2.5")
def test_only_the_automation_user_needs_no_password(machine: Machine) -> None:
    """Only the automation user becomes root without a password."""
    other = sorted(set(without_password(machine.sudoers)) - {machine.wanted["automation_user"]})
    assert not other, f"no password is asked of: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-15", severity="high", source="sparkfleet")
def test_sudo_is_for_the_described_people(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Group sudo is the described people, and at most the machine's set-up account.

    That account may stay for the console, while no key opens it; it is reported.
    """
    members = machine.sudo_group
    wanted = {user for user, person in machine.wanted["users"].items() if person["sudo"]}
    setup = {user for user in members - wanted if machine.accounts.get(user, ["", ""])[1] == FIRST_ACCOUNT} - set(
        machine.key_files
    )
    if setup:
        record_property("evidence", f"{' '.join(setup)}, the set-up account, can use sudo on the console")
    wrong = [f"{user} is not described" for user in sorted(members - wanted - setup)]
    wrong += [f"{user} is missing" for user in sorted(wanted - members)]
    assert not wrong, f"group sudo: {'; '.join(wrong)}"


@pytest.mark.control(id="ACCESS-16", severity="high", source="CIS 5.4.2.1")
def test_root_is_one_account(machine: Machine) -> None:
    """No account but root has uid 0."""
    other = [account for account, line in machine.accounts.items() if line[1] == "0" and account != "root"]
    assert not other, f"uid 0 as well: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-17", severity="high", source="CIS 7.2.2")
def test_no_account_has_an_empty_password(machine: Machine) -> None:
    """No account lets people in without a password."""
    empty = [account for account, state in machine.passwords.items() if state == "empty"]
    assert not empty, f"an empty password: {', '.join(empty)}"
