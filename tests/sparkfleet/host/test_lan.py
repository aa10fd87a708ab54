"""Addresses of a host and a witness → refused, still open, or not proven; never closed without having seen it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.access import Access
from sparkfleet.errors import LockdownError
from sparkfleet.host import lan
from sparkfleet.host.connection import Result

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

ADDRESSES = ("127.0.0.1", "127.0.0.2")


class Host:
    """A session to a host that says which addresses it has."""

    def __init__(self, *addresses: str) -> None:
        self.told = [{"ifname": "enp1s0", "addr_info": [{"local": a} for a in addresses]}]

    def run(self, command: str) -> Result:
        """Answer the one question."""
        assert command == lan.ASK
        return Result(0, json.dumps(self.told), "")


def of_port(fleet: Fleet, port: int) -> Fleet:
    """The fleet with spark-01 alone, its sshd on that port, at no address that was described."""
    host = fleet.hosts["spark-01"].model_copy(update={"port": port, "addresses": ["100.64.0.1"]})
    return fleet.model_copy(update={"hosts": {"spark-01": host}})


def test_a_door_that_was_open_and_is_closed_is_refused_to_the_witness(fleet: Fleet) -> None:
    """The controller could connect before and cannot now: that is the proof, with the addresses that it saw."""
    with socket.create_server((ADDRESSES[0], 0)) as door:
        fleet = of_port(fleet, door.getsockname()[1])
        host: Any = Host(*ADDRESSES)
        seen = lan.before(fleet, "spark-01", host)
    assert (seen.addresses, seen.witness) == (ADDRESSES, "controller")
    assert ADDRESSES[0] in seen.seen
    assert lan.after(fleet, "spark-01", seen).startswith("refused to controller at 127.0.0.1")


def test_a_door_that_is_still_open_is_an_error(fleet: Fleet) -> None:
    """Another table accepted it first, say: the error names the address and the port."""
    with socket.create_server((ADDRESSES[0], 0)) as door:
        fleet = of_port(fleet, port := door.getsockname()[1])
        with pytest.raises(LockdownError, match=f"connect to port {port} at 127.0.0.1"):
            lan.after(fleet, "spark-01", lan.Lan(ADDRESSES, "controller", ADDRESSES))


def test_without_a_witness_nothing_is_claimed(fleet: Fleet) -> None:
    """Nobody saw the host there, it has no such address, or the witness is gone: each time "not proven"."""
    alone = of_port(fleet, 22)
    host: Any = Host()
    assert "no address" in lan.after(alone, "spark-01", lan.before(alone, "spark-01", host))
    assert lan.after(alone, "spark-01", lan.Lan(("192.0.2.1",))).startswith("not proven: neither the controller")
    gone = lan.Lan(("192.0.2.1",), "spark-02", ("192.0.2.1",))
    peer = fleet.hosts["spark-02"].model_copy(update={"addresses": ["127.0.0.1"], "port": 1})
    fleet = fleet.model_copy(update={"hosts": {**fleet.hosts, "spark-02": peer}})
    assert lan.after(fleet, "spark-01", gone) == "not proven: spark-02 no longer answers"


def test_where_nobody_should_get_in() -> None:
    """All addresses but loopback, the tailnet, containers, and interfaces on which SSH is open by description."""
    access = Access.model_validate(
        {"tailnet_only": True, "open": {"enp1s0f*": ["all"], "eth1": ["tcp/2222"], "eth2": ["tcp/8000"]}}
    )
    told = [
        {"ifname": name, "addr_info": [{"local": f"192.0.2.{n}"}, {"local": "100.64.0.9"}]}
        for n, name in enumerate(["lo", "tailscale0", "docker0", "br-4", "enp1s0f0np0", "eth1", "eth2", "wlan0"])
    ]
    assert lan.outside(told, access, 22) == ("192.0.2.5", "192.0.2.6", "192.0.2.7")
    assert lan.outside(told, access, 2222) == ("192.0.2.6", "192.0.2.7")


WORDS = st.text() | st.sampled_from(["192.0.2.1", "fd00::1", "fe80::1%'; reboot"])
NAMES = st.sampled_from(["ifname", "addr_info", "local"])
JSON = st.recursive(st.booleans() | WORDS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=8)


@given(JSON)
def test_whatever_a_host_tells_only_addresses_come_out(told: Any) -> None:
    """The answer ends up in a command for a peer: nothing but IP addresses passes."""
    links = [told, {"addr_info": [{"local": told}]}]
    for address in lan.outside(links, Access(), 22):
        assert set(address) <= set("0123456789abcdefABCDEF.:")
