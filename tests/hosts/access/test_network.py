"""What can be reached from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from reading import firewall_verdicts

if TYPE_CHECKING:
    from machine import Machine

UNIT = "sparkfleet-firewall.service"


@pytest.mark.control(id="ACCESS-18", severity="high", source="CIS 2.1.22")
def test_nothing_undescribed_listens(machine: Machine) -> None:
    """Nothing accepts connections from outside but sshd and the exporter."""
    described = {machine.wanted["port"], *machine.wanted["checked_ports"]}
    other = [
        str(one)
        for one in machine.listeners
        if one.protocol == "tcp" and not one.on_loopback and one.port not in described
    ]
    assert not other, f"also listens: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-19", severity="high", source="CIS 4.3.10")
def test_firewall_is_loaded_at_every_start(machine: Machine) -> None:
    """Our firewall unit is enabled: the table comes back at every start."""
    state = machine.units[UNIT]["UnitFileState"]
    assert state == "enabled", f"{UNIT} is {state or 'not there'}"


@pytest.mark.control(id="ACCESS-20", severity="high", source="CIS 4.3.4")
def test_firewall_lets_only_monitors_scrape(machine: Machine) -> None:
    """The firewall is loaded and lets only the monitors reach the exporter."""
    assert machine.firewall, "there is no table inet sparkfleet"
    if "exporter" not in machine.wanted["roles"]:
        return
    port, monitors = machine.wanted["exporter_port"], machine.wanted["monitors"]
    found = [said for e in machine.firewall if "rule" in e for said in firewall_verdicts(e["rule"]["expr"], port)]
    wanted = [*(f"accept {address}" for address in monitors), "drop all"]
    shown = f"for port {port} the rules are: {', '.join(found) or 'none'}; described are: {', '.join(wanted)}"
    assert sorted(found) == sorted(wanted), shown
    assert found[-1] == "drop all", shown
    if machine.controller not in monitors:
        met = machine.door.knock(port)
        assert met == "silent", f"port {port} is {met} to this controller, which is no monitor"
