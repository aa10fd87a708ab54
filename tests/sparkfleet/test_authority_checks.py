"""Descriptions in which nobody, or two hosts, would be asked for certificates are told before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from sparkfleet.authority import Authority
from sparkfleet.authority_checks import authority_faults

IP, NAME = ["192.0.2.1"], ["spark.example"]


def host(*roles: str, addresses: list[str] = IP) -> dict[str, Any]:
    """One."""
    return {"roles": list(roles), "addresses": addresses}


@pytest.mark.parametrize(
    ("hosts", "authority", "words"),
    [
        ({"a": host("authority", "identity"), "b": host("identity")}, {}, ""),
        ({"a": host()}, {}, ""),
        ({"a": host("identity")}, {}, "no host has the role authority"),
        ({"a": host("authority"), "b": host("authority")}, {}, "found a, b"),
        ({"a": host("authority"), "b": host("identity", addresses=NAME)}, {}, "hosts.b.addresses: the role identity"),
        ({"a": host("authority", "identity", addresses=NAME)}, {}, ""),
        ({"a": host("authority")}, {"url": "https://example.org/x"}, "authority.sha256: missing"),
        ({"a": host("authority")}, {"port": 9810}, "authority.port: 9810 is also exporter.port"),
        ({"a": host("authority")}, {"generation": 2, "stolen": [1]}, ""),
        ({"a": host("authority")}, {"generation": 2, "stolen": [1, 2]}, "authority.stolen: names the generation in"),
        ({"a": host("authority")}, {"stolen": [1]}, "authority.stolen: names the generation in"),
        ({"a": host("authority")}, {"stolen": 1}, ""),
        ({"a": 7}, 7, ""),
    ],
)
def test_a_fault_names_the_place_to_mend(hosts: dict[str, Any], authority: Any, words: str) -> None:
    """One fault each, or none."""
    found = authority_faults({"authority": authority, "exporter": {"port": 9810}}, hosts)
    assert [words in fault for fault in found] == ([True] if words else []), found


@pytest.mark.parametrize(
    ("provider", "bundle", "roles", "told"),
    [
        ("aws", "own.pem", ["authority", "identity"], True),
        ("aws", "own.pem", [], False),
        ("aws", None, ["authority", "identity"], False),
        ("onprem", "own.pem", ["authority"], False),
    ],
)
def test_an_account_trusts_one_authority(provider: str, bundle: str | None, roles: list[str], *, told: bool) -> None:
    """With both, the hosts' certificates would be refused: the bundle goes before the fleet's own."""
    raw = {"cloud": {"provider": provider, "aws": {"trust_bundle": bundle}}}
    found = authority_faults(raw, {"a": host(*roles)})
    assert [fault.startswith("cloud.aws.trust_bundle: ") for fault in found] == [True] * told


@pytest.mark.parametrize(
    ("lifetime", "look_s"), [("30d", 21600), ("1d", 720), ("2m", 5)], ids=["30 days", "a day", "two minutes"]
)
def test_a_host_looks_often_enough(lifetime: str, look_s: int) -> None:
    """A hundred looks and more a life, four a day at least, and no more than every five seconds."""
    assert Authority(lifetime=lifetime).look_s == look_s


@pytest.mark.parametrize("lifetime", ["59s", "91d", "forever"])
def test_a_life_has_bounds(lifetime: str) -> None:
    """Below a minute step-ca's own clock skew is all of it; above 90 days nobody notices that renewal is broken."""
    with pytest.raises(ValueError, match="expected"):
        Authority(lifetime=lifetime)
