"""The rendered firewall table in a kernel of namespaces, beside Docker's and Tailscale's rules → who gets through."""

from __future__ import annotations

import contextlib
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.host.desired import desired
from tests.sparkfleet.host.conftest import description
from tests.sparkfleet.host.network import LINKS, Network, network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkfleet.host.sources import Sources

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root")

PLACE = {place: (v4, v6) for place, (_, _, v4, v6) in LINKS.items()}
HOST = {place: (f"{v4.rpartition('.')[0]}.1", f"{v6.rpartition('::')[0]}::1") for place, (v4, v6) in PLACE.items()}
BOTH = pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
EXPORTER, TAILNET, PUBLISHED = 9810, 41641, 8080
LISTENERS = {"host": (22, EXPORTER, 8000, 8081), "box": (80,), "twin": (80,), "other": (80,), "lan": (443,)}


def rendered(sources: Sources, **access: Any) -> str:
    """The table of a host with the exporter, scraped by the tailnet's peer (which has a LAN address, too)."""
    raw = description()
    raw["hosts"]["spark-01"] |= {"addresses": ["100.127.250.1"], "roles": ["exporter", "tailnet"]}
    raw["hosts"]["spark-02"] |= {
        "addresses": ["100.127.250.2", "10.231.250.2", "fd7a:115c:a1e0:250::2"],
        "roles": ["monitor", "tailnet"],
    }
    raw["tailnet"] = {"auth_key": "env:KEY"}
    raw["access"] |= access
    return desired(config.parse(raw), "spark-01", sources).files["/etc/sparkfleet/firewall.nft"].content.decode()


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    """The namespaces, with sshd's, the exporter's and some other ports taken on the host and in the containers."""
    with network() as made, contextlib.ExitStack() as listening:
        for place, ports in LISTENERS.items():
            for port in ports:
                listening.enter_context(made.listening(place, port))
        yield made


@pytest.fixture
def closed(net: Network, project_sources: Sources) -> Network:
    """The table of access.tailnet_only."""
    net.load(rendered(project_sources, tailnet_only=True))
    return net


REFUSED = {
    "sshd": ("lan", HOST["lan"], 22),
    "sshd at its tailnet address": ("lan", HOST["peer"], 22),
    "exporter, from the monitor's LAN address": ("lan", HOST["lan"], EXPORTER),
    "published by DNAT": ("lan", HOST["lan"], PUBLISHED),
    "published by docker-proxy": ("lan", HOST["lan"], 8081),
    "container, by route": ("lan", PLACE["box"], 80),
    "container of another network, by route": ("lan", PLACE["other"], 80),
    "sshd, from a bridge named like a container's": ("site", HOST["site"], 22),
    "published, from that bridge": ("site", HOST["site"], PUBLISHED),
    "container, from that bridge": ("site", PLACE["box"], 80),
    "container of another network, from that bridge": ("site", PLACE["other"], 80),
    "one container network from another": ("other", PLACE["box"], 80),
    "sshd, from a container": ("box", HOST["box"], 22),
}


@pytest.fixture(scope="module")
def answers(net: Network, project_sources: Sources) -> list[dict[tuple[str, int], bool]]:
    """Who of REFUSED gets through, by name and family: without our table, and with the closed one."""

    def ask() -> dict[tuple[str, int], bool]:
        cases = [(name, family) for name in REFUSED for family in (0, 1)]

        def reaches(case: tuple[str, int]) -> bool:
            place, address, port = REFUSED[case[0]]
            return net.reaches(place, address[case[1]], port)

        with ThreadPoolExecutor(len(cases)) as pool:  # a refusal is silence, which takes its time
            return dict(zip(cases, pool.map(reaches, cases), strict=True))

    net.load("add table inet sparkfleet; delete table inet sparkfleet")
    without = ask()
    net.load(rendered(project_sources, tailnet_only=True))
    return [without, ask()]


@BOTH
@pytest.mark.parametrize("name", REFUSED)
def test_a_closed_host_refuses(name: str, family: int, answers: list[dict[tuple[str, int], bool]]) -> None:
    """Each of these comes through without our table, so that the refusal is ours, and none with it."""
    assert [said[name, family] for said in answers] == [True, False]


@BOTH
@pytest.mark.parametrize(
    ("place", "address", "port"),
    [
        ("peer", HOST["peer"], 22),
        ("peer", HOST["peer"], EXPORTER),
        ("peer", HOST["peer"], PUBLISHED),
        ("peer", PLACE["box"], 80),
        ("host", HOST["lan"], 22),
        ("host", PLACE["box"], 80),
        ("host", PLACE["lan"], 443),
        ("box", PLACE["lan"], 443),
        ("other", PLACE["lan"], 443),
        ("box", PLACE["twin"], 80),
    ],
    ids=[
        "sshd over the tailnet",
        "exporter, from the monitor",
        "published, over the tailnet",
        "container, over the tailnet",
        "itself",
        "its own container",
        "out into the LAN",
        "container, out into the LAN",
        "container of another network, out",
        "two containers of one network",
    ],
)
def test_a_closed_host_lets_through(
    family: int, place: str, address: tuple[str, str], port: int, closed: Network
) -> None:
    """The tailnet, everything outward with its answers, and what containers of one network tell each other."""
    assert closed.reaches(place, address[family], port)


def test_the_exporter_is_open_to_the_monitor_alone(closed: Network, project_sources: Sources) -> None:
    """Another node of the tailnet is refused at the exporter's port, and still reaches sshd."""
    closed.load(rendered(project_sources, tailnet_only=True).replace("100.127.250.2", "100.127.250.99"))

    assert not closed.reaches("peer", HOST["peer"][0], EXPORTER)
    assert closed.reaches("peer", HOST["peer"][0], 22)


@BOTH
def test_an_interface_opens_what_is_named_and_no_other(family: int, net: Network, project_sources: Sources) -> None:
    """`access.open` counts for its interface and port; another interface, another port stay closed."""
    net.load(rendered(project_sources, tailnet_only=True, open={"enp*": ["tcp/8000"], "fabric0": ["all"]}))

    assert net.reaches("lan", HOST["lan"][family], 8000)
    assert not net.reaches("lan", HOST["lan"][family], 22)
    assert not net.reaches("site", HOST["site"][family], 8000)


@BOTH
def test_a_published_port_is_opened_by_the_number_it_is_asked_for(
    family: int, net: Network, project_sources: Sources
) -> None:
    """The one that Docker translates, not the container's own; and no way to the container's address comes with it."""
    net.load(rendered(project_sources, tailnet_only=True, open={"enp1": [f"tcp/{PUBLISHED}"]}))
    assert net.reaches("lan", HOST["lan"][family], PUBLISHED)
    assert not net.reaches("site", HOST["site"][family], PUBLISHED)

    net.load(rendered(project_sources, tailnet_only=True, open={"enp1": ["tcp/80"]}))
    assert not net.reaches("lan", HOST["lan"][family], PUBLISHED)
    assert not net.reaches("lan", PLACE["box"][family], 80)


@BOTH
def test_an_interface_that_is_all_open_leads_to_containers_too(
    family: int, net: Network, project_sources: Sources
) -> None:
    """`all` is for a fabric between Sparks: the host's ports and those that containers publish."""
    net.load(rendered(project_sources, tailnet_only=True, open={"enp1": ["all"]}))

    assert net.reaches("lan", HOST["lan"][family], 22)
    assert net.reaches("lan", HOST["lan"][family], PUBLISHED)


@BOTH
def test_an_open_connection_outlives_the_lockdown(family: int, net: Network, project_sources: Sources) -> None:
    """From the LAN, opened under the open table: it goes on in both directions, while a new one is refused."""
    net.load(rendered(project_sources))
    with net.listening("host", 2222) as server:
        client = net.connect("lan", HOST["lan"][family], 2222)
        assert client
        session, _ = server.accept()

        net.load(rendered(project_sources, tailnet_only=True))

        with client, session:
            for one, two in ((client, session), (session, client)):
                two.settimeout(1)
                one.sendall(b"still here")
                assert two.recv(16) == b"still here"
        assert not net.reaches("lan", HOST["lan"][family], 2222)


@BOTH
def test_the_lan_may_still_ping_and_find_the_host(family: int, closed: Network) -> None:
    """Echo requests, and, for IPv6, neighbour discovery after its cache was emptied on both sides."""
    for place in ("host", "lan"):
        closed.forget_neighbours(place)

    assert closed.pings("lan", HOST["lan"][family])
    assert closed.pings("host", PLACE["lan"][family])


@pytest.mark.parametrize(
    ("address", "port", "source_port", "arrives"),
    [
        (HOST["lan"][0], TAILNET, 5000, True),
        (HOST["lan"][1], TAILNET, 5000, True),
        (HOST["lan"][0], 68, 67, True),
        ("fe80::1%eth0", 546, 547, True),
        (HOST["lan"][0], 68, 5000, False),
        (HOST["lan"][1], 546, 547, False),
        (HOST["lan"][0], 53, 5000, False),
        (HOST["lan"][0], 5353, 5353, False),
    ],
    ids=["WireGuard", "WireGuard v6", "DHCP", "DHCPv6", "no DHCP server's port", "no neighbour", "DNS", "mDNS"],
)
def test_datagrams_from_the_lan(address: str, port: int, source_port: int, arrives: bool, closed: Network) -> None:
    """Direct connections of the tailnet and the answers of DHCP servers arrive, nothing else does."""
    with closed.listening("host", port, socket.SOCK_DGRAM) as server:
        assert closed.sends("lan", (address, port), server, source_port) is arrives


def test_containers_may_ask_the_host_for_names(closed: Network) -> None:
    """Podman's resolver listens on the host's side of the bridge."""
    with closed.listening("host", 53, socket.SOCK_DGRAM) as server:
        assert closed.sends("box", (HOST["box"][0], 53), server)


def test_a_stolen_tailnet_address_opens_nothing_on_the_lan(closed: Network) -> None:
    """What counts is the interface, not the source that somebody writes into a packet."""
    closed.add_address("lan", "100.127.250.2/32")

    assert not closed.reaches("lan", HOST["lan"][0], 22, source="100.127.250.2")


def test_the_table_takes_the_place_of_itself_alone(net: Network, project_sources: Sources) -> None:
    """Loaded again and again, open and closed: one table of ours, and nobody else's is touched."""
    before = {line for line in net.tables() if "sparkfleet" not in line}

    for closed in (True, True, False, True):
        net.load(rendered(project_sources, tailnet_only=closed))

    assert sorted(net.tables()) == sorted([*before, "table inet sparkfleet"])
