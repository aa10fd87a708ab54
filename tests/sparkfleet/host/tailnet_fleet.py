"""A fleet with everything that a tailnet's policy speaks of, and every node of its tailnet, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet import config
from tests.sparkfleet.host.tailnet_engine import Node

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

TAG = "tag:spark"
HOSTS = {
    "spark-01": ("100.64.0.1", "fd7a:115c:a1e0::1"),
    "spark-02": ("100.64.0.2",),
    "spark-03": ("100.64.0.3",),
    "spark-04": ("100.64.0.4",),
}
BESIDE = {"calypso": "100.70.0.9", "labels.example": "100.70.0.10"}
NODES = [
    *(Node(name, addresses, tags=(TAG,)) for name, addresses in HOSTS.items()),
    Node("spark-05", ("100.64.0.5",), tags=(TAG,)),  # has joined; the description does not know its address yet
    *(Node(name, (address,), tags=("tag:server",)) for name, address in BESIDE.items()),
    Node("controller", ("100.80.0.1",), tags=("tag:controller",)),
    Node("alice", ("100.80.0.2", "fd7a:115c:a1e0::802"), login="alice@example.com"),
    Node("bob", ("100.80.0.3",), login="bob@example.com"),
    Node("carol", ("100.80.0.4",), login="carol@example.com"),
    Node("dora", ("100.80.0.5",), login="dora@example.com"),  # a member of the tailnet, and nobody here
]


def raw() -> dict[str, Any]:
    """spark-01 watches and signs, spark-02 labels, spark-03 and -04 are alike, spark-05 has just joined."""
    return {
        "fleet": "office",
        "hosts": {
            "spark-01": {
                "addresses": [*HOSTS["spark-01"], "192.0.2.1"],
                "roles": ["tailnet", "exporter", "monitor", "authority", "identity"],
            },
            "spark-02": {
                "addresses": [*HOSTS["spark-02"]],
                "roles": ["tailnet", "exporter", "node", "label", "jupyter"],
            },
            "spark-03": {"addresses": [*HOSTS["spark-03"]], "roles": ["tailnet", "exporter"]},
            "spark-04": {"addresses": [*HOSTS["spark-04"]], "roles": ["tailnet", "exporter"]},
            "spark-05": {"addresses": ["spark-05.example"], "roles": ["tailnet", "exporter"]},
        },
        "access": {
            "users": {"alice": {}, "bob": {}},
            "tailnet_only": True,
            "open": {"tailscale*": ["tcp/8000", "udp/5000"], "enP7s7": ["tcp/9000"]},
        },
        "jupyter": {"user": "bob"},
        "label": {
            "label_studio": {"url": "https://labels.example", "token": "env:TOKEN"},
            "calypso": {"url": "http://calypso:8001", "metrics_url": "http://calypso:8002/metrics"},
            "models": {"aws_profile": "models"},
        },
        "tailnet": {
            "auth_key": "env:KEY",
            "tags": [TAG],
            "policy": {
                "operators": ["alice@example.com", "tag:controller"],
                "users": ["bob@example.com"],
                "reviewers": ["carol@example.com"],
                "nodes": BESIDE,
            },
        },
    }


def fleet(**policy: Any) -> Fleet:
    """That fleet, with something of its policy described otherwise."""
    described = raw()
    described["tailnet"]["policy"] |= policy
    return config.parse(described)
