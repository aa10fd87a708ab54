"""Wires between the ConnectX-7 ports of two stand-ins (simulated), and the description of those ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.spark import cable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.under_test import FleetUnderTest

PORTS = {"enp1s0f0np0": "192.168.100.{}/24", "enP2p1s0f0np0": "192.168.101.{}/24"}  # both twins of one cage


def plug(fleet: FleetUnderTest, host: str, other: str) -> None:
    """A wire from each port to the same port of the other host."""
    for port in PORTS:
        cable.plug(fleet.instance, host, other, port)


def describe(config: dict[str, Any], host: str, other: str, ports: Mapping[str, str] = PORTS) -> None:
    """Both hosts have the role, and these ports with .11 and .12."""
    for number, name in enumerate((host, other), 11):
        entry = config["sparkfleet:hosts"][name]
        entry["roles"] = [*(role for role in entry["roles"] if role != "connectx"), "connectx"]
        entry["connectx"] = {port: pattern.format(number) for port, pattern in ports.items()}
