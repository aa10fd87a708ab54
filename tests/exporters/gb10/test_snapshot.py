"""The snapshot tells what is fresh and forgets what is not."""

from __future__ import annotations

from exporters.gb10.readings.nvml import Sample
from exporters.gb10.snapshot import Snapshot, Status

SAMPLE = Sample("580.1", ())


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def of(clock: Clock) -> Snapshot:
    """A snapshot whose samples are valid for 5 s; by the calendar it is always 7."""
    return Snapshot(5, clock, wall_clock=lambda: 7.0)


def test_before_the_first_sample_there_is_nothing() -> None:
    """No sample, no age, no time."""
    assert of(Clock()).status() == Status()


def test_a_sample_is_told_until_it_is_too_old() -> None:
    """At its age limit a sample is still told, beyond it no more, while its age goes on and its time stays."""
    clock = Clock()
    snapshot = of(clock)
    snapshot.put(SAMPLE)
    clock.now += 5
    assert snapshot.status() == Status(SAMPLE, age_s=5, at=7, samples=1)
    clock.now += 1
    assert snapshot.status() == Status(None, age_s=6, at=7, samples=1)


def test_a_dropped_sampler_takes_its_sample_along() -> None:
    """What a sampler said is not told after it was given up, however fresh; the next sample is told again."""
    snapshot = of(Clock())
    snapshot.put(SAMPLE)
    snapshot.drop()
    assert snapshot.status() == Status(None, age_s=0, at=7, samples=1, restarts=1)
    snapshot.put(SAMPLE)
    assert snapshot.status().sample is SAMPLE


def test_stuck_counts_from_the_first_overdue_answer_until_one_comes() -> None:
    """Further overdue answers and given-up samplers do not set the count back; a sample or a plain no does."""
    clock = Clock()
    snapshot = of(clock)
    for answer in (lambda: snapshot.put(SAMPLE), snapshot.unavailable):
        snapshot.overdue()
        clock.now += 100
        snapshot.overdue()
        snapshot.drop()
        clock.now += 50
        assert snapshot.status().stuck_s == 150
        answer()
        clock.now += 1
        assert snapshot.status().stuck_s == 0


def test_a_driver_that_has_nothing_takes_its_sample_along_and_counts_no_restart() -> None:
    """After `unavailable` the last sample is not told, and no sampler counts as given up."""
    snapshot = of(Clock())
    snapshot.put(SAMPLE)
    snapshot.unavailable()
    assert snapshot.status() == Status(None, age_s=0, at=7, samples=1)
