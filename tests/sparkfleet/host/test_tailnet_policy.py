"""The policy that is rendered for a tailnet → who reaches what, decided by an engine that knows the policy alone."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.host import tailnet_policy
from tests.sparkfleet.host.tailnet_engine import Tailnet
from tests.sparkfleet.host.tailnet_fleet import NODES, fleet, raw

if TYPE_CHECKING:
    from tests.sparkfleet.host.conftest import Golden

ADDRESS = {node.name: node.addresses[0] for node in NODES}
SSH, EXPORTER, LABEL, JUPYTER, OLLAMA, GRAFANA, PROMETHEUS, AUTHORITY = 22, 9810, 9811, 8888, 11434, 3000, 9090, 9443
PORTS = (SSH, AUTHORITY, EXPORTER, LABEL, JUPYTER, 8000, OLLAMA, GRAFANA, PROMETHEUS, 9000, 443, 8001, 8002)
PEOPLE = ("alice", "controller", "bob")  # whom hosts serve
SPARKS = tuple(name for name in ADDRESS if name.startswith("spark"))
# Every pair of nodes and port that is let through; all others are refused.
REACHED = {
    *((who, to, SSH) for who in (*PEOPLE, "spark-01") for to in SPARKS if who != to),
    *((who, to, 8000) for who in PEOPLE for to in ("spark-01", "spark-02", "spark-03", "spark-04")),
    *((who, "spark-02", JUPYTER) for who in PEOPLE),
    *(("spark-01", to, EXPORTER) for to in ("spark-02", "spark-03", "spark-04")),
    ("spark-01", "spark-02", LABEL),
    *((who, "spark-01", AUTHORITY) for who in SPARKS if who != "spark-01"),
    *((who, "labels.example", 443) for who in ("alice", "controller", "carol", "spark-02")),
    ("spark-02", "calypso", 8001),
    ("spark-01", "calypso", 8002),
}


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    """What is rendered for the fleet of these tests."""
    return tailnet_policy.document(fleet())


@pytest.mark.parametrize("source", ADDRESS)
def test_who_reaches_what_is_what_is_meant(source: str, policy: dict[str, Any]) -> None:
    """From this node: every other node at every port that matters, over TCP, against the table above."""
    net = Tailnet(policy, NODES)
    asked = [(source, to, port) for to in ADDRESS for port in PORTS if to != source]

    assert {(a, b, p) for a, b, p in asked if net.allows(ADDRESS[a], ADDRESS[b], p)} == {*asked} & REACHED


def test_datagrams_reach_what_is_opened_for_them_and_nothing_else(policy: dict[str, Any]) -> None:
    """`access.open` names udp/5000 on the tailnet's interface; sshd's port is not open to datagrams."""
    net = Tailnet(policy, NODES)

    assert net.allows(ADDRESS["bob"], ADDRESS["spark-03"], 5000, "udp")
    assert not net.allows(ADDRESS["bob"], ADDRESS["spark-03"], 5000, "tcp")
    assert not net.allows(ADDRESS["carol"], ADDRESS["spark-03"], 5000, "udp")
    assert not net.allows(ADDRESS["alice"], ADDRESS["spark-03"], SSH, "udp")


def test_the_prober_may_ping_every_host(policy: dict[str, Any]) -> None:
    """Else each host that the monitor probes were down; who reaches no port of a host does not ping it either."""
    net = Tailnet(policy, NODES)

    assert all(net.allows(ADDRESS["spark-01"], ADDRESS[name], 0, "icmp") for name in SPARKS if name != "spark-01")
    assert not net.allows(ADDRESS["spark-03"], ADDRESS["spark-04"], 0, "icmp")


def test_each_address_of_a_host_is_spoken_of(policy: dict[str, Any]) -> None:
    """The monitor scrapes from either of its addresses; people reach a host's second address, too."""
    net = Tailnet(policy, NODES)
    v6 = {node.name: node.addresses[1] for node in NODES if len(node.addresses) > 1}

    assert net.allows(v6["alice"], v6["spark-01"], 8000)
    assert not net.allows(v6["alice"], v6["spark-01"], EXPORTER)
    assert v6["spark-01"] in next(rule["SrcIPs"] for rule in net.rules if "spark-01" not in rule["SrcIPs"])


def test_the_policys_own_tests_hold(policy: dict[str, Any]) -> None:
    """A control server refuses a policy with a test that fails."""
    assert Tailnet(policy, NODES).failures() == []


def test_each_grant_that_goes_is_noticed_by_the_policys_own_tests(policy: dict[str, Any]) -> None:
    """Whoever deletes a line on the console is refused."""
    unnoticed = []
    for number in range(len(policy["grants"])):
        weaker = copy.deepcopy(policy)
        gone = weaker["grants"].pop(number)
        unnoticed += [] if Tailnet(weaker, NODES).failures() else [gone]

    assert unnoticed == []


@pytest.mark.parametrize(
    "grant",
    [
        {"src": ["*"], "dst": ["*"], "ip": ["*"]},
        {"src": ["tag:spark"], "dst": ["tag:spark"], "ip": ["tcp:22"]},
        {"src": ["autogroup:member"], "dst": ["tag:spark"], "ip": ["tcp:22"]},
        {"src": ["group:office-users"], "dst": ["tag:spark"], "ip": ["tcp:9810"]},
        {"src": ["group:office-reviewers"], "dst": ["spark-02"], "ip": ["tcp:8888"]},
        {"src": ["group:office-operators"], "dst": ["tag:spark"], "ip": ["tcp:11434"]},
        {"src": ["group:office-operators"], "dst": ["tag:spark"], "ip": ["tcp:1-65535"]},
        {"src": ["tag:spark"], "dst": ["100.70.0.9"], "ip": ["tcp:8001"]},
    ],
    ids=lambda grant: f"{grant['src'][0]} {grant['dst'][0]} {grant['ip'][0]}",
)
def test_each_grant_that_opens_more_is_noticed_by_the_policys_own_tests(
    grant: dict[str, Any], policy: dict[str, Any]
) -> None:
    """The default policy of a new tailnet among them, which lets everybody reach everything."""
    wider = {**policy, "grants": [*policy["grants"], grant]}

    assert Tailnet(wider, NODES).failures()


def test_no_test_holds_against_whom_we_cannot_know() -> None:
    """Carol may be an administrator of the tailnet: that she is refused what operators reach is then no test."""
    rendered = tailnet_policy.document(fleet(operators=["autogroup:admin"]))
    tests = {test["src"]: test for test in rendered["tests"] if test["proto"] == "tcp"}

    assert "spark-01:22" not in tests["carol@example.com"]["deny"]
    assert "spark-02:9810" in tests["carol@example.com"]["deny"]
    assert "spark-01:22" in tests["spark-03"]["deny"]
    assert "autogroup:admin" not in tests
    assert Tailnet(rendered, NODES, admins=("alice@example.com", "carol@example.com")).failures() == []


def test_a_host_whose_address_is_not_known_is_reached_by_its_tag_alone() -> None:
    """sshd, so that it can be described; and what is left out is told, with what to do about it."""
    told = tailnet_policy.left_out(fleet())

    assert "spark-05" not in tailnet_policy.document(fleet())["hosts"]
    assert [line for line in told if line.startswith("spark-05") and "`spark plan spark-05`" in line] == told


def test_a_service_outside_of_the_tailnet_is_told_and_not_granted() -> None:
    """A name may be one of the tailnet that nobody described; then nothing is granted, and that is said."""
    without = fleet(nodes={"calypso": "100.70.0.9"})
    told = "\n".join(tailnet_policy.left_out(without))

    assert "Label Studio, https://labels.example" in told
    assert "100.70.0.10" not in json.dumps(tailnet_policy.document(without))


def test_a_service_on_a_host_of_the_fleet_contradicts_no_test() -> None:
    """Label Studio in a container of spark-03, at a port that is on loopback elsewhere: granted, and tested as such."""
    described = raw()
    described["label"]["label_studio"]["url"] = f"http://{ADDRESS['spark-03']}:{GRAFANA}"
    rendered = tailnet_policy.document(config.parse(described))
    net = Tailnet(rendered, NODES)

    assert net.allows(ADDRESS["carol"], ADDRESS["spark-03"], GRAFANA)
    assert net.failures() == []


def test_the_file_is_the_document_with_reasons(policy: dict[str, Any], golden: Golden) -> None:
    """HuJSON without its comments and last commas is the JSON that `--json` prints."""
    shown = tailnet_policy.hujson(fleet())
    bare = re.sub(r",(\s*[\]}])", r"\1", re.sub(r"^\s*//.*$", "", shown, flags=re.MULTILINE))

    assert json.loads(bare) == policy
    assert re.sub(r",\s*$", "", bare.strip()) == bare.strip()
    golden.check("tailnet-policy.hujson", shown)
