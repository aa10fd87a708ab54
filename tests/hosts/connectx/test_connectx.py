"""The ConnectX-7 ports are as described, and nothing else describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine


@pytest.mark.control(id="CONNECTX-01", severity="high", source="GB10")
def test_ports_have_their_addresses(machine: Machine) -> None:
    """Each described port has exactly its address, and takes packets of the described size.

    The kernel's interfaces. A port that is not there is passed over: the card sleeps without a cable.
    """
    told, wrong = machine.wanted["connectx"], []
    there = [port for port in told["ports"] if port in machine.interfaces]
    if not there:
        pytest.skip("none of the described ports is there: no cable?")
    for port in there:
        row = machine.interfaces[port]
        found = [f"{a['local']}/{a['prefixlen']}" for a in row["addr_info"] if a["scope"] == "global"]
        if found != [told["ports"][port]]:
            wrong.append(f"{port} has {' '.join(found) or 'no address'}, described is {told['ports'][port]}")
        if row["mtu"] != told["mtu"]:
            wrong.append(f"{port} takes {row['mtu']} bytes, described are {told['mtu']}")
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="CONNECTX-02", severity="medium", source="GB10")
def test_netplan_takes_our_file_and_no_other_describes_its_ports(machine: Machine) -> None:
    """Netplan accepts our file, and no other file of netplan's describes one of its ports.

    Our program beside netplan on the host, which netplan itself judges for.
    """
    assert not machine.netplan_complaint, machine.netplan_complaint


@pytest.mark.control(id="CONNECTX-03", severity="medium", source="GB10")
def test_netplan_files_are_roots_alone(machine: Machine) -> None:
    """Netplan's files are read by root alone: they may hold passwords of networks.

    Mode and owner of each.
    """
    open_ = [f"{path}: {state}" for path, state in machine.netplan_files.items() if state != "600 root:root"]
    assert not open_, "; ".join(open_)


@pytest.mark.control(id="CONNECTX-04", severity="high", source="GB10")
def test_both_twins_of_a_cabled_cage_have_a_link(machine: Machine) -> None:
    """A cage with a cable has a link on both of its PCIe twins; with one it has half of its speed.

    The kernel's state of each port, by PCI function.
    """
    cages = machine.cages
    if not any("up" in twins.values() for twins in cages.values()):
        pytest.skip("no cage has a cable")
    down = [
        f"{port} is {state} beside {', '.join(t for t in twins if twins[t] == 'up')}"
        for twins in cages.values()
        if "up" in twins.values()
        for port, state in twins.items()
        if state != "up"
    ]
    assert not down, "; ".join(down)


@pytest.mark.control(id="CONNECTX-05", severity="medium", source="GB10")
def test_peers_answer_full_packets(machine: Machine) -> None:
    """Every described host that answers in a port's network answers a packet of full size that nobody may divide.

    Two pings each, from that port. Who answers nothing is off, or not as described yet: that is its own verdict.
    """
    if not machine.jumbo:
        pytest.skip("no other host is described in these networks")
    short = [f"{peer} over {port}" for (port, peer), word in machine.jumbo.items() if word == "no"]
    assert not short, f"no answer to {machine.wanted['connectx']['mtu']} bytes: {', '.join(short)}"
    if "yes" not in machine.jumbo.values():
        pytest.skip(f"no peer answers at all: {', '.join(sorted({peer for _, peer in machine.jumbo}))}")
