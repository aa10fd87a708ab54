"""A stand-in as Ubuntu 24.04 is (ssh.socket, NetworkManager) → the same description, the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab import spark

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST = "spark-05"


def test_a_host_with_ssh_socket_converges(converged: FleetUnderTest) -> None:
    """With ssh.socket instead of ssh.service a host is adopted, brought to its description, and stays reachable."""
    spark.boot(converged.instance, [HOST], "socket")

    def one_more(described: dict[str, Any]) -> None:
        pattern = described["sparkfleet:hosts"]["spark-03"]
        described["sparkfleet:hosts"][HOST] = {**pattern, "addresses": [converged.instance.address(HOST)]}

    good = converged.description.read_text()
    converged.described(one_more)
    try:
        adopted = converged.adopt(HOST)
        assert adopted.code == 0, adopted.text
        up = converged.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        assert converged.changes(HOST) == {HOST: []}
        listens = converged.on(HOST, "systemctl is-active ssh.socket; sshd -T | grep -i ^passwordauthentication")
        assert listens.text.split() == ["active", "passwordauthentication", "no"]
    finally:
        converged.description.write_text(good)
        spark.halt(converged.instance, HOST)
    back = converged.pulumi("up", "--yes", "--skip-preview")
    assert back.code == 0, back.text
