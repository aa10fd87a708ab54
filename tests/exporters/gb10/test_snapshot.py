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


def test_before_the_first_sample_there_is_nothing() -> None:
    """No sample and no age."""
    assert Snapshot(5).status() == Status()


def test_a_sample_is_told_until_it_is_too_old() -> None:
    """At its age limit a sample is still told, beyond it no more, while its age goes on."""
    clock = Clock()
    snapshot = Snapshot(5, clock)
    snapshot.put(SAMPLE)
    clock.now += 5
    assert snapshot.status() == Status(SAMPLE, age_s=5, samples=1)
    clock.now += 1
    assert snapshot.status() == Status(None, age_s=6, samples=1)


def test_a_dropped_sampler_takes_its_sample_along() -> None:
    """What a sampler said is not told after it was given up, however fresh; the next sample is told again."""
    snapshot = Snapshot(5, Clock())
    snapshot.put(SAMPLE)
    snapshot.drop()
    assert snapshot.status() == Status(None, age_s=0, samples=1, restarts=1)
    snapshot.put(SAMPLE)
    assert snapshot.status().sample is SAMPLE
