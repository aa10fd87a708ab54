"""A bandwidth is kept over all connections, whatever comes in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workloads.datasets.limit import Limit


class Clock:
    """Time that passes when somebody sleeps, or lets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


@given(st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 3)), min_size=1), st.integers(1, 2000))
def test_never_more_than_the_bandwidth_but_for_one_chunk(takes: list[tuple[int, float]], bytes_s: int) -> None:
    """By the time a chunk is let through, all before it are paid for; idle time is not saved up."""
    clock = Clock()
    limit = Limit(bytes_s, clock, clock.sleep)
    before = 0
    for size, idle in takes:
        clock.sleep(idle)
        limit.take(size)
        assert before <= bytes_s * clock.now * 1.0001
        before += size


def test_without_a_bandwidth_nobody_waits() -> None:
    """The default."""
    clock = Clock()
    Limit(None, clock, clock.sleep).take(1 << 40)
    assert clock.now == 0


def test_a_small_bandwidth_uses_few_connections() -> None:
    """A store hangs up on a connection that takes minutes for a chunk."""
    assert Limit(3 << 20).connections(16) == 3
    assert Limit(1000).connections(16) == 1
    assert Limit(None).connections(16) == 16
