"""The rendered policy as tailscaled sees it: its own packet filter decides each connection, its own parser reads it.

Real: both are Tailscale's code (lab/toolchain/tailnet/decide). Simulated: what a control server makes of the policy.
"""

from __future__ import annotations

import json
import subprocess
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from lab import toolchain
from sparkfleet.host import tailnet_policy
from tests.sparkfleet.host.tailnet_engine import PROTOCOLS, Tailnet
from tests.sparkfleet.host.tailnet_fleet import NODES, fleet

if TYPE_CHECKING:
    from pathlib import Path

PORTS = (0, 22, 80, 443, 3000, 5000, 8000, 8001, 8002, 8888, 9443, 9810, 9811, 11434, 65535)


@pytest.fixture(scope="module")
def program() -> Path:
    """The program that asks tailscaled's filter."""
    return toolchain.ensure(["decide"])["decide"]


def ask(program: Path, policy: str, net: Tailnet, asks: list[tuple[str, str, int, str]]) -> dict[str, Any]:
    """What it says: the policy as plain JSON, and which connections pass."""
    wanted = [
        {"src": source, "dst": to, "port": port, "proto": PROTOCOLS[protocol][":" in source and protocol == "icmp"]}
        for source, to, port, protocol in asks
    ]
    question = json.dumps({"policy": policy, "rules": net.rules, "asks": wanted})
    done = subprocess.run([program], input=question, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    "policy",
    [{}, {"operators": ["autogroup:admin"], "users": ["autogroup:member"]}, {"users": [], "nodes": {}}],
    ids=["every kind of people", "autogroups", "operators alone"],
)
def test_tailscaleds_own_filter_decides_as_our_engine_does(policy: dict[str, Any], program: Path) -> None:
    """Every address to every other, at every port that matters and some that do not, over TCP, UDP and ICMP."""
    described = fleet(**policy)
    net = Tailnet(tailnet_policy.document(described), NODES, admins=("alice@example.com",))
    addresses = [address for node in NODES for address in node.addresses]
    asks = [case for case in product(addresses, addresses, PORTS, ("tcp", "udp", "icmp")) if case[0] != case[1]]

    said = ask(program, tailnet_policy.hujson(described), net, asks)

    assert said["policy"] == tailnet_policy.document(described)
    different = [case for case, passes in zip(asks, said["passes"], strict=True) if net.allows(*case) != passes]
    assert different == []
    assert 0 < sum(said["passes"]) < len(asks) / 4
