"""One scrape over several collectors: each timed, and one that fails silences none of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from prometheus_client import Metric


def good() -> Iterator[Metric]:
    """A collector with a value."""
    yield GaugeMetricFamily("a", "A.", 1)


def broken() -> Iterator[Metric]:
    """A collector that fails half-way."""
    yield GaugeMetricFamily("b", "B.", 2)
    raise PermissionError("no")


def empty() -> Iterator[Metric]:
    """A collector with nothing to tell."""
    return iter(())


def test_a_failing_collector_gives_nothing_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """What it gave before failing is withheld, its success is 0, the others' values are there; it is logged once."""
    registry = CollectorRegistry()
    registry.register(Registry({"broken": broken, "empty": empty, "good": good}))
    caplog.clear()
    lines = [generate_latest(registry).decode() for _ in range(3)][-1].splitlines()
    assert "a 1.0" in lines
    assert "b 2.0" not in lines
    for name, success in (("good", 1.0), ("broken", 0.0), ("empty", 0.0)):
        assert f'sparkfleet_gb10_collector_success{{collector="{name}"}} {success}' in lines
    assert sum("collector_duration_seconds{" in line for line in lines) == 3
    assert len(caplog.records) <= 1
