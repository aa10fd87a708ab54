"""Two hosts with wires between their ConnectX-7 ports (simulated; real netplan, networkd and packets)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import wires
from tests.e2e.mutation import noticed
from tests.e2e.mutations_connectx import MUTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.mutation import Mutation
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOSTS = ("spark-02", "spark-03")
OWNERS = "network:\n  ethernets:\n    enP7s7: # made by hand\n      dhcp4: true\n"


@pytest.fixture(scope="module")
def wired(converged: FleetUnderTest) -> Iterator[FleetUnderTest]:
    """Both ports of both hosts in use; on the first a netplan file that its owner made."""
    good = converged.description.read_text()
    wires.plug(converged, *HOSTS)
    netplan = converged.tree(HOSTS[0]) / "etc/netplan"
    netplan.mkdir(exist_ok=True)
    (netplan / "01-owner.yaml").write_text(OWNERS)
    (netplan / "01-owner.yaml").chmod(0o600)
    converged.described(lambda config: wires.describe(config, *HOSTS))
    try:
        up = converged.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        yield converged
    finally:
        converged.description.write_text(good)
        back = converged.pulumi("up", "--yes", "--skip-preview")
        assert back.code == 0, back.text


def test_full_packets_cross_the_wire(wired: FleetUnderTest) -> None:
    """Addresses and packet size are in force on both ports: 9000 bytes go over undivided."""
    for network in (100, 101):
        sent = wired.on(HOSTS[0], f"ping -q -M do -s 8972 -c 1 -W 2 192.168.{network}.12")
        assert sent.code == 0, sent.text


def test_the_owners_netplan_is_as_it_was(wired: FleetUnderTest) -> None:
    """A file made by hand before `up` is the same afterwards, byte for byte, beside ours."""
    folder = wired.tree(HOSTS[0]) / "etc/netplan"
    assert sorted(file.name for file in folder.iterdir()) == ["01-owner.yaml", "90-sparkfleet-connectx.yaml"]
    assert (folder / "01-owner.yaml").read_text() == OWNERS


def test_the_way_in_was_not_touched(wired: FleetUnderTest) -> None:
    """Only our ports were told: the interface that we come by was configured once, at boot."""
    told = wired.on(HOSTS[0], "networkctl --no-legend list")
    assert all(f"{port}" in told.text for port in wires.PORTS), told.text
    log = wired.on(HOSTS[0], 'journalctl -q -o cat -u systemd-networkd | grep -c "host0: Reconfiguring"')
    assert log.text.strip() == "0", log.text


def test_a_port_that_the_owner_describes_is_refused(wired: FleetUnderTest) -> None:
    """Netplan would merge two files: the run ends before ours is there, naming the other one and the port."""
    good = wired.description.read_text()
    stray = wired.tree(HOSTS[0]) / "etc/netplan/02-owner.yaml"
    stray.write_text("network:\n  ethernets:\n    enp1s0f1np1:\n      dhcp4: true\n")
    stray.chmod(0o600)
    before = (wired.tree(HOSTS[0]) / "etc/netplan/90-sparkfleet-connectx.yaml").read_text()
    third = {**wires.PORTS, "enp1s0f1np1": "192.168.102.{}/24"}
    wired.described(lambda config: wires.describe(config, *HOSTS, third))
    try:
        up = wired.pulumi("up", "--yes", "--skip-preview")
        after = (wired.tree(HOSTS[0]) / "etc/netplan/90-sparkfleet-connectx.yaml").read_text()
    finally:
        stray.unlink()
        wired.description.write_text(good)
        mended = wired.pulumi("up", "--yes", "--skip-preview")
    assert up.code != 0
    assert "/etc/netplan/02-owner.yaml describes enp1s0f1np1 as well" in up.text
    assert (after, mended.code) == (before, 0), mended.text


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.control)
def test_a_broken_port_fails_its_control(wired: FleetUnderTest, mutation: Mutation) -> None:
    """Its own control notices, with evidence, and no other but those that cannot stand without it."""
    _, failed = noticed(wired, HOSTS[0], mutation)
    assert mutation.control in failed, failed
    assert failed.keys() <= {mutation.control, *mutation.also}, failed
    assert mutation.evidence in failed[mutation.control]
