"""What Ray is started with on a machine: known ports, a token, no more of memory and processes than is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from workloads.label.site import Ray
from workloads.label.spreading import machine


def site(own: str) -> Ray:
    """A machine's part of label.json."""
    return Ray(address="10.0.0.1:9820", own_address=own, token_file=Path("/run/token"))


def options(own: str) -> dict[str, str]:
    """The command's options by name."""
    words = machine.words(site(own), Path("/var/ray"))
    return dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))


@pytest.mark.parametrize("own", ["10.0.0.1", "10.0.0.2"])
def test_every_port_lies_in_the_range_that_the_firewall_opens(own: str) -> None:
    """Each has one of its own; Ray would take random ones otherwise."""
    found = options(own)
    single = [int(value) for name, value in found.items() if name.endswith("port") and "worker" not in name]
    workers = range(int(found["min-worker-port"]), int(found["max-worker-port"]) + 1)
    every = [*single, *workers]
    assert len(set(every)) == len(every)
    assert len(workers) >= 20
    assert {*every} <= set(range(9820, 9820 + machine.PORTS))


def test_the_machine_that_the_address_names_is_the_head() -> None:
    """It alone listens for the others; they name it."""
    assert "head" in options("10.0.0.1")
    assert "address" not in options("10.0.0.1")
    assert options("10.0.0.2")["address"] == "10.0.0.1:9820"
    assert "head" not in options("10.0.0.2")


def test_ray_asks_for_the_token_and_tells_nobody_of_us() -> None:
    """The token by its file; usage statistics and the killing of large workers are off."""
    told = machine.environment(site("10.0.0.1"))
    wanted = {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/run/token", "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_memory_monitor_refresh_ms": "0",
    }  # fmt: skip
    assert wanted.items() <= told.items()
    assert "disable-usage-stats" in options("10.0.0.1")
    assert options("10.0.0.1")["include-dashboard"] == "false"
