"""What can be reached from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from door import neighbour
from reading import chains, firewall_verdicts, opened, published

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

UNIT = "sparkfleet-firewall.service"
BEFORE = "network-pre.target"
# Who takes packets from anybody on a DGX OS or Ubuntu of its own accord, and on which ports; None: on any.
UDP_SERVICES = {
    "systemd-network": {68, 546}, "systemd-networkd": {68, 546}, "NetworkManager": {68, 546}, "dhclient": {68, 546},
    "avahi-daemon": None,
}  # fmt: skip


@pytest.mark.control(id="ACCESS-18", severity="high", source="CIS 2.1.22")
def test_nothing_undescribed_listens(machine: Machine) -> None:
    """Nothing accepts connections from outside but sshd, the exporters and what is described as open.

    Every listening TCP socket of IPv4 and IPv6 that is not on loopback; tailscaled's own on the tailnet's addresses.
    """
    described = {machine.wanted["port"], *machine.wanted["checked_ports"], *opened(machine.wanted["open"], "tcp")}
    other = [
        str(one)
        for one in machine.listeners
        if one.protocol == "tcp" and not one.on_loopback and one.port not in described
        and not (one.process == "tailscaled" and one.in_tailnet and machine.wanted["tailnet"])
    ]  # fmt: skip
    assert not other, f"also listens: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-33", severity="medium", source="CIS 2.1.22")
def test_nothing_undescribed_takes_packets(machine: Machine) -> None:
    """Nothing takes UDP packets from outside but tailscaled, DHCP clients, mDNS and what is described as open.

    Every UDP socket of IPv4 and IPv6 that is open to anybody and not on loopback.
    """
    described, other = opened(machine.wanted["open"], "udp"), []
    # tailscaled asks from ports of the moment how it is seen from outside; its own port is TAILNET-08's.
    services = {**UDP_SERVICES, **({"tailscaled": None} if machine.wanted["tailnet"] else {})}
    for one in machine.listeners:
        ports = services.get(one.process, set())
        known = ports is None or one.port in {*ports, *described}
        other += [str(one)] if one.protocol == "udp" and not one.on_loopback and not known else []
    assert not other, f"also takes packets: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-19", severity="high", source="CIS 4.3.10")
def test_firewall_is_loaded_at_every_start(machine: Machine) -> None:
    """Our firewall table comes back at every start, before the network is up.

    The unit is enabled, active, and ordered before network-pre.target.
    """
    unit = machine.units[UNIT]
    state = f"{unit['UnitFileState'] or 'not there'}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{UNIT} is {state}"
    assert BEFORE in unit["Before"].split(), f"{UNIT} is not ordered before {BEFORE}"


@pytest.mark.control(id="ACCESS-34", severity="high", source="sparkfleet")
def test_the_firewall_is_that_of_its_file(machine: Machine) -> None:
    """The firewall in force is that of its file, rule by rule.

    The table that the kernel has against one that the file makes in a network namespace of its own.
    """
    if not machine.firewall:
        pytest.skip("there is no table inet sparkfleet: see ACCESS-20")
    in_force, by_file = machine.firewall_and_its_file
    differ = [f"only in force: {line.strip()}" for line in in_force if line not in by_file]
    differ += [f"only in the file: {line.strip()}" for line in by_file if line not in in_force]
    assert in_force == by_file, "; ".join(differ[:5]) or "the rules stand in another order"


@pytest.mark.control(id="ACCESS-35", severity="high", source="CIS 4.3.5, 4.3.8")
def test_the_firewall_refuses_by_default(machine: Machine) -> None:
    """With tailnet_only whatever no rule lets in is dropped, at the host and on the way to its containers.

    The hooks and policies of the chains in force.
    """
    if not machine.wanted["tailnet_only"]:
        pytest.skip("access.tailnet_only is not described: the LAN is let in")
    found = chains(machine.firewall)
    for hook in ("input", "forward"):
        assert found.get(hook) == "drop", (
            f"the chain at {hook} {'has policy ' + found[hook] if hook in found else 'is missing'}"
        )


@pytest.mark.control(id="ACCESS-20", severity="high", source="CIS 4.3.4")
def test_firewall_lets_only_monitors_scrape(machine: Machine) -> None:
    """The firewall is loaded and lets only the monitors reach the exporters.

    The rules in force about their ports; a controller that is no monitor knocks there and must hear nothing.
    """
    assert machine.firewall, "there is no table inet sparkfleet"
    ports, monitors, closed = (machine.wanted[word] for word in ("scraped_ports", "monitors", "tailnet_only"))
    wanted = [*(f"accept {address}" for address in monitors), *([] if closed else ["drop all"])]
    described = ", ".join(wanted) or "none"
    for port in ports:
        found = [said for e in machine.firewall if "rule" in e for said in firewall_verdicts(e["rule"]["expr"], port)]
        shown = f"for port {port} the rules are: {', '.join(found) or 'none'}; described are: {described}"
        assert sorted(found) == sorted(wanted), shown
        assert closed or found[-1] == "drop all", shown
        if machine.controller not in monitors:
            met = machine.scraped_ports_meet[port]
            assert met == "silent", f"port {port} is {met} to this controller, which is no monitor"


@pytest.mark.control(id="ACCESS-36", severity="high", source="sparkfleet")
def test_the_lan_meets_a_wall(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """With tailnet_only nothing of this host can be reached over its LAN: not SSH, not a container's published port.

    A controller on the same network knocks, over IPv4 and IPv6, at the SSH port, at every port that listens, and at
    every port that is translated to a container; what is described as open is left out. From elsewhere: not proven.
    """
    if not machine.wanted["tailnet_only"]:
        pytest.skip("access.tailnet_only is not described: the LAN is let in")
    near = [address for address in machine.addresses if neighbour(address)]
    if not near:
        pytest.skip("not proven: this controller shares no network with the host")
    listening = {one.port for one in machine.listeners if one.protocol == "tcp" and not one.on_loopback}
    ports = {machine.wanted["port"], *listening, *published(machine.ruleset)} - opened(machine.wanted["open"], "tcp")
    met = machine.door.knock_all([(address, port) for address in near for port in sorted(ports)])
    reached = [f"{address} port {port} is {how}" for (address, port), how in met.items() if how != "silent"]
    assert not reached, "; ".join(reached)
    record_property(
        "evidence", f"silent to this controller: {', '.join(near)}, ports {', '.join(map(str, sorted(ports)))}"
    )
