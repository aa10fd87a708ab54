"""NVML (simulated) → exporter → real Prometheus → real Alertmanager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lab import gb10
from tests.e2e.under_test import until

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


def query(converged: FleetUnderTest, port: int, path: str) -> Any:
    """Ask a loopback service of the monitor host for JSON."""
    done = converged.on(
        "spark-01",
        f'python3 -c "import urllib.request as u; print(u.urlopen(\\"http://127.0.0.1:{port}{path}\\").read().decode())"',
    )
    assert done.code == 0, done.text
    return json.loads(done.text)


def test_prometheus_has_every_exporter_and_the_temperature(converged: FleetUnderTest) -> None:
    """The real Prometheus returns the simulated GPU's temperature for all four hosts."""

    def temperatures() -> dict[str, float]:
        found = query(converged, 9090, "/api/v1/query?query=sparkfleet_gb10_gpu_temperature_celsius")
        return {r["metric"]["instance"]: float(r["value"][1]) for r in found["data"]["result"]}

    until(lambda: set(temperatures()) == set(converged.hosts), "a temperature of each host", within_s=60)
    assert all(20 < celsius < 110 for celsius in temperatures().values())


def test_stress_reaches_alertmanager_as_gb10hot(converged: FleetUnderTest) -> None:
    """With the stress scenario on one stand-in, Gb10Hot of that host alone reaches the real Alertmanager."""
    gb10.load(converged.tree("spark-03"), "stress")

    def alerts() -> set[tuple[str, str]]:
        return {
            (a["labels"]["alertname"], a["labels"].get("instance", ""))
            for a in query(converged, 9093, "/api/v2/alerts")
        }

    until(lambda: ("Gb10Hot", "spark-03") in alerts(), "Gb10Hot in Alertmanager", within_s=240, every_s=3)
    assert {pair for pair in alerts() if pair[0] == "Gb10Hot"} == {("Gb10Hot", "spark-03")}
    gb10.load(converged.tree("spark-03"), "idle")
