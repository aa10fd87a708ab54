"""One scrape over several collectors: each timed; one that fails or hangs silences none of the others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.parts import Asked, Part, Polled
from exporters.gb10.registry import Registry
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

DEADLINE_S = 20.0


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


def success(name: str, value: float) -> str:
    """The line that tells how a collector fared."""
    return f'sparkfleet_gb10_collector_success{{collector="{name}"}} {value}'


@pytest.mark.parametrize("every_s", [0, 0.05])
def test_a_failing_collector_gives_nothing_and_stops_nobody(every_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """What it gave before failing is withheld, its success is 0, the others' values are there; it is logged once."""
    parts = {"broken": Part(broken, every_s), "empty": Part(empty, every_s), "good": Part(good, every_s)}
    registry = Registry(parts)
    registry.start(wait_s=DEADLINE_S)
    lines = [registry.text() for _ in range(3)][-1].splitlines()
    registry.stop()
    assert "a 1.0" in lines
    assert "b 2.0" not in lines
    assert {success("good", 1.0), success("broken", 0.0), success("empty", 0.0)} <= set(lines)
    assert sum("collector_duration_seconds{" in line for line in lines) == 3
    assert [line.partition("{")[2][:16] for line in lines if "last_success_timestamp_seconds{" in line] == [
        'collector="good"'
    ]
    assert len(caplog.records) == 1


class Stubborn:
    """A collector that hangs when told to, and a clock to say how long."""

    def __init__(self) -> None:
        self.now, self.hangs = 100.0, False
        self.hanging, self.freed = threading.Event(), threading.Event()

    def families(self) -> Iterator[Metric]:
        """A value, at once or when let go."""
        if self.hangs:
            self.hanging.set()
            self.freed.wait(DEADLINE_S)
        yield GaugeMetricFamily("s", "S.", 1)


def test_a_poll_that_hangs_is_told_for_its_limit_and_then_is_absent() -> None:
    """Within the limit the last value is told, beyond it none and success is 0; when it is let go all returns."""
    stubborn = Stubborn()
    polled = Polled("stubborn", Part(stubborn.families, every_s=0.02), clock=lambda: stubborn.now)
    polled.start()
    assert polled.polled.wait(DEADLINE_S)
    stubborn.hangs = True
    assert stubborn.hanging.wait(DEADLINE_S)
    stubborn.now += 10
    assert polled.outcome().success
    last_success = polled.outcome().last_success
    stubborn.now += 1
    overdue = polled.outcome()
    assert (overdue.success, overdue.text, overdue.last_success) == (False, "", last_success)
    assert overdue.duration_s == 11
    stubborn.hangs = False
    stubborn.freed.set()
    until(lambda: polled.outcome().success, "a poll that goes on")
    polled.stop()


def test_a_hanging_poll_delays_neither_the_start_nor_a_scrape() -> None:
    """With one collector stuck from the first moment on, scrapes come at once with the others' values."""
    stubborn = Stubborn()
    stubborn.hangs = True
    registry = Registry({"stuck": Part(stubborn.families, every_s=0.05), "good": Part(good, every_s=0.05)})
    registry.start(wait_s=0.5)
    started = time.monotonic()
    lines = registry.text().splitlines()
    assert time.monotonic() - started < 1
    assert {"a 1.0", success("stuck", 0.0)} <= set(lines)
    assert not [line for line in lines if line.startswith("s ")]
    registry.stop()
    stubborn.freed.set()


def test_one_answer_serves_all_who_ask_of_the_same() -> None:
    """A part with `same` is asked again when that changes or its answer grows old, and not before."""
    asked: list[int] = []
    now, of = 0.0, "a"

    def families() -> Iterator[Metric]:
        asked.append(1)
        return good()

    part = Asked("shared", Part(families, same=lambda: of), kept_s=0.9, clock=lambda: now)
    assert part.outcome().families == part.families()
    assert len(asked) == 1
    of = "b"
    part.outcome()
    assert len(asked) == 2
    now = 0.9
    part.outcome()
    assert len(asked) == 3
