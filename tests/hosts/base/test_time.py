"""The host's clock and time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine


@pytest.mark.control(id="BASE-01", severity="low", source="sparkfleet")
def test_time_zone_is_the_described_one(machine: Machine) -> None:
    """The host is in the described time zone.

    Where /etc/localtime leads.
    """
    found = machine.timezone
    wanted = f"/usr/share/zoneinfo/{machine.wanted['timezone']}"
    assert found == wanted, f"/etc/localtime leads to {found}, not {wanted}"


@pytest.mark.control(id="BASE-02", severity="medium", source="CIS 2.3.1.1, 2.3.2.2")
def test_clock_is_synchronised(machine: Machine) -> None:
    """The clock follows a time server: certificates, signatures and alerts depend on it.

    By the word of the kernel, whichever daemon sets it.
    """
    if machine.container:
        pytest.skip(f"in a container ({machine.container}) the clock is the outer machine's")
    said = machine.clock
    assert said == "yes", f"no time server was heard yet:\n{machine.journal('systemd-timesyncd.service')}"
