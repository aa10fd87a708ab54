"""The journal must not fill the disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# journald says this of itself each time it opens the journal (SD_MESSAGE_JOURNAL_USAGE of sd-messages.h).
USAGE = "MESSAGE_ID=ec387f577b844b8fa948f33cad9a75e6"


@pytest.mark.control(id="BASE-03", severity="medium", source="CIS 6.1.1.3")
def test_journal_has_its_limit(machine: Machine) -> None:
    """The journal keeps to the described limit, in its settings and by its own word."""
    wanted = machine.wanted["journal_max_use"]
    lines = machine.says("systemd-analyze cat-config systemd/journald.conf").splitlines()
    settings = [line.partition("=")[2] for line in lines if line.startswith("SystemMaxUse=")]
    assert settings[-1:] == [wanted], f"SystemMaxUse is {''.join(settings[-1:]) or 'not set'}, described is {wanted}"
    said = machine.says(f"journalctl --quiet --boot -o json -n 1 {USAGE} JOURNAL_NAME='System Journal'").strip()
    if said:
        running = json.loads(said)
        assert int(running["MAX_USE"]) == int(wanted[:-1]) * UNITS[wanted[-1]], f"in force is: {running['MESSAGE']}"
