"""The host has a certificate of its own, which renews itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

SERVICE, TIMER = "sparkfleet-identity.service", "sparkfleet-identity.timer"
END = 'sparkfleet_certificate_not_after_timestamp_seconds{kind="host"}'
RENEWAL = 'sparkfleet_certificate_renewal_timestamp_seconds{kind="host"}'


@pytest.mark.control(id="IDENTITY-01", severity="high", source="sparkfleet")
def test_certificate_renews_itself(machine: Machine) -> None:
    """The timer that renews the host's certificate runs, now and after every start.

    systemd has it enabled and active.
    """
    unit = machine.units[TIMER]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{TIMER} is {state}"


@pytest.mark.control(id="IDENTITY-02", severity="high", source="sparkfleet")
def test_certificate_is_the_hosts(machine: Machine) -> None:
    """The host's certificate is made out to it by the fleet's authority, fits its key and is not overdue for renewal.

    What the host's own program says of it, and the dates that it told. Overdue: half of what was left when it should
    have been renewed is over.
    """
    found = machine.certificate
    assert found["state"] == "valid", f"{found['state']}\n{machine.journal(SERVICE)}"
    dates = found["dates"]
    assert {END, RENEWAL} <= dates.keys(), f"the dates are not told: {', '.join(dates) or 'none'}"
    overdue_s = found["now"] - (dates[END] + dates[RENEWAL]) / 2
    assert overdue_s < 0, f"overdue for {overdue_s / 3600:.1f} h\n{machine.journal(SERVICE)}"


@pytest.mark.control(id="IDENTITY-03", severity="high", source="sparkfleet")
def test_key_is_roots(machine: Machine) -> None:
    """The key of the host's certificate can be read by root alone.

    Its owner and mode.
    """
    key = machine.certificate["key"]
    assert key == "root 600", f"host.key: {key}"
