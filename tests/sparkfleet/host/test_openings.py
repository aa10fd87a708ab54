"""The two guards of a host's ports, its firewall and the tailnet's policy → they say the same, for every fleet."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkfleet import config
from sparkfleet.host import tailnet_policy
from sparkfleet.host.desired import desired
from sparkfleet.host.openings import openings
from tests.sparkfleet.host.tailnet_engine import Node, Tailnet

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

TABLE = "/etc/sparkfleet/firewall.nft"
RULE = re.compile(
    r"^ {4}(iifname (?P<on>\S+|\{[^}]*\}) )?((?P<protocol>tcp|udp) dport (?P<port>\d+) )?"
    r"(ip6? saddr \{ (?P<sources>[^}]*) \} )?(?P<verdict>accept|drop)$"
)
PEOPLE = [
    Node("operator", ("100.80.0.1", "fd7a:115c:a1e0::801"), login="operator@example.com"),
    Node("user", ("100.80.0.2", "fd7a:115c:a1e0::802"), login="user@example.com"),
    Node("nobody", ("100.80.0.3", "fd7a:115c:a1e0::803"), login="nobody@example.com"),
]
SSH_PORTS, OPENED, OTHERS = (22, 2022), ("tcp/8000", "udp/8000", "tcp/9811", "all"), (8888, 11434, 3000)


def over_the_tailnet(table: str, source: str, protocol: str, port: int) -> bool:
    """What the table's chain `input` says of a new connection that comes by tailscale0."""
    chain = table.partition("chain input {")[2].partition("\n  }")[0]
    policy = re.search(r"policy (\w+);", chain)
    for line in chain.splitlines():
        if (rule := RULE.match(line)) and _speaks_of(rule, source, protocol, port):
            return rule["verdict"] == "accept"
    return policy is not None and policy[1] == "accept"


def _speaks_of(rule: re.Match[str], source: str, protocol: str, port: int) -> bool:
    interfaces = re.findall(r'"([^"]+)"', rule["on"] or "")
    if interfaces and not any(re.fullmatch(one.replace("*", ".*"), "tailscale0") for one in interfaces):
        return False
    if rule["port"] and (rule["protocol"], int(rule["port"])) != (protocol, port):
        return False
    return not rule["sources"] or source in rule["sources"].split(", ")


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, Any]:
    """Two to four hosts in a tailnet, of any roles that a port belongs to, closed or not."""
    closed = draw(st.booleans())
    hosts: dict[str, Any] = {}
    for number in range(1, draw(st.integers(2, 4)) + 1):
        roles = {"tailnet"} | draw(st.sets(st.sampled_from(["exporter", "monitor", "label", "jupyter"])))
        roles |= {"node"} if roles & {"label", "jupyter"} else set()
        v6 = [f"fd7a:115c:a1e0::{number}"] if draw(st.booleans()) else []
        port = draw(st.sampled_from(SSH_PORTS))
        hosts[f"spark-{number}"] = {"addresses": [f"100.64.0.{number}", *v6], "roles": sorted(roles), "port": port}
    if draw(st.booleans()):
        hosts["spark-1"]["roles"].append("authority")
    interfaces = st.sampled_from(["tailscale0", "tailscale*", "enp1"])
    opened = draw(st.dictionaries(interfaces, st.lists(st.sampled_from(OPENED), max_size=2, unique=True), max_size=2))
    return {
        "fleet": "office",
        "hosts": hosts,
        "access": {"tailnet_only": closed, "users": {"alice": {}}, **({"open": opened} if closed else {})},
        "jupyter": {"user": "alice", "serve": draw(st.booleans())},
        "tailnet": {
            "auth_key": "env:KEY",
            "policy": {"operators": ["operator@example.com"], "users": ["user@example.com"]},
        },
    }


def nodes(fleet: Fleet) -> list[Node]:
    """Every node of such a fleet's tailnet."""
    return [Node(n, tuple(h.addresses), tags=("tag:spark",)) for n, h in fleet.hosts.items()] + PEOPLE


def served(fleet: Fleet, name: str, port: int) -> bool:
    """Whether tailscaled takes the connection itself: it does not come to the host's firewall."""
    return any(one.guard == "tailscaled" and one.port == f"tcp/{port}" for one in openings(fleet, name))


@pytest.fixture(scope="module")
def alone(project_sources: Sources) -> Sources:
    """The template of the firewall and no other: rendering them all takes most of the time."""
    own = {name: text for name, text in project_sources.templates.items() if name.endswith("firewall.nft.j2")}
    return dataclasses.replace(project_sources, templates=own)


@settings(max_examples=60)
@given(raw=fleets())
def test_the_policy_grants_nothing_that_a_host_refuses(raw: dict[str, Any], alone: Sources) -> None:
    """Nobody reads in the policy that he may, and then hears nothing from the host; and the policy's own tests hold.

    sshd alone is granted on the hosts' tag, so where hosts have it at different ports, each port on each.
    """
    fleet = config.parse(raw)
    net = Tailnet(tailnet_policy.document(fleet), nodes(fleet))
    assert net.failures() == []
    elsewhere = {host.port for host in fleet.hosts.values()}
    for name, host in fleet.hosts.items():
        table = desired(fleet, name, alone).files[TABLE].content.decode()
        for source, address, protocol, port in pairs(fleet, name):
            if net.allows(source, address, port, protocol) and port not in elsewhere - {host.port}:
                assert served(fleet, name, port) or over_the_tailnet(table, source, protocol, port), (source, port)


@settings(max_examples=60)
@given(raw=fleets())
def test_the_policy_lets_through_whom_a_host_expects(raw: dict[str, Any], alone: Sources) -> None:
    """A closed host's firewall names ports and some addresses: who is named there, or described, comes so far."""
    raw["access"] |= {"tailnet_only": True}
    fleet = config.parse(raw)
    net = Tailnet(tailnet_policy.document(fleet), nodes(fleet))
    for name in fleet.hosts:
        table = desired(fleet, name, alone).files[TABLE].content.decode()
        for source, address, protocol, port in pairs(fleet, name):
            described = {"operator", "user"} & {node.name for node in PEOPLE if source in node.addresses}
            by_address = re.search(rf"{protocol} dport {port} ip6? saddr {{[^}}]*\b{re.escape(source)}[ ,]", table)
            expected = over_the_tailnet(table, source, protocol, port) and (described or by_address)
            assert net.allows(source, address, port, protocol) or not expected, (name, source, protocol, port)


def pairs(fleet: Fleet, name: str) -> list[tuple[str, str, str, int]]:
    """Every other node's address, the host's address of that version, and every port of interest."""
    ports = [*SSH_PORTS, fleet.exporter.port, fleet.label.port, fleet.authority.port, 8000, *OTHERS]
    return [
        (source, address, protocol, port)
        for node in nodes(fleet)
        if node.name != name
        for source in node.addresses
        for address in fleet.hosts[name].addresses
        if (":" in source) == (":" in address)
        for protocol in ("tcp", "udp")
        for port in ports
    ]
