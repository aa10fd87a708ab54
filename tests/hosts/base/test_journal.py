"""The journal must be there after a crash, and must not fill the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@pytest.mark.control(id="BASE-03", severity="medium", source="CIS 6.1.1.3")
def test_journal_has_its_limit(machine: Machine) -> None:
    """The journal keeps to the described limit, in its settings and by its own word.

    The settings of all its files together, and what journald says of itself when it opens the journal.
    """
    wanted = machine.wanted["journal_max_use"]
    found = machine.journald.settings.get("SystemMaxUse", "not set")
    assert found == wanted, f"SystemMaxUse is {found}, described is {wanted}"
    if usage := machine.journald.usage:
        assert int(usage["MAX_USE"]) == int(wanted[:-1]) * UNITS[wanted[-1]], f"in force is: {usage['MESSAGE']}"


@pytest.mark.control(id="BASE-13", severity="medium", source="CIS 6.1.1.1, 6.1.2.4")
def test_journal_outlives_a_crash(machine: Machine) -> None:
    """The journal is on disk: what happened before a reboot can be read after it.

    The setting, and the journal's file.
    """
    found = machine.journald.settings.get("Storage", "auto")
    assert found == "persistent", f"Storage is {found}"
    assert machine.journald.files, "there is no journal in /var/log/journal"
