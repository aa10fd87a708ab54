"""The watcher with real child processes: slow, mad, mute and missing ones."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from exporters.gb10.snapshot import Snapshot
from exporters.gb10.sources.sampler_process import Sampler
from exporters.gb10.watcher import Watcher
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = '{"driver": "1", "gpus": []}'


def child(program: str) -> Sampler:
    """A Python one-liner as the sampler."""
    return Sampler([sys.executable, "-I", "-c", program])


def watch(start: Callable[[], Sampler], seen: Callable[[Snapshot], bool]) -> None:
    """Run a watcher until the snapshot shows it, at most 20 s."""
    snapshot = Snapshot(5)
    watcher = Watcher(snapshot, start, deadline_s=5)
    watcher.start()
    until(lambda: seen(snapshot), snapshot.status, 20)
    watcher.stop()


def test_a_sampler_that_raves_is_given_up() -> None:
    """Output that is no sample ends that sampler; nothing of it reaches the snapshot."""
    seen: list[Snapshot] = []

    def restarted(snapshot: Snapshot) -> bool:
        seen.append(snapshot)
        return bool(snapshot.status().restarts)

    watch(lambda: child("print('hello', flush=True)"), restarted)
    assert seen[0].status().samples == 0


def test_a_sampler_that_does_not_start_is_no_crash() -> None:
    """A missing interpreter leaves the watcher alive and the snapshot empty."""
    tries = []

    def start() -> Sampler:
        tries.append(1)
        return Sampler(["/nonexistent/python"])

    watch(start, lambda snapshot: len(tries) > 1 and snapshot.status().samples == 0)


def test_a_line_in_pieces_is_one_sample() -> None:
    """A line that arrives in two writes counts once."""
    halves = f"w.write({GOOD[:9]!r}); w.flush(); time.sleep(0.2); w.write({GOOD[9:]!r}); w.write(chr(10)); w.flush()"
    program = f"import sys, time; w = sys.stdout; {halves}; time.sleep(60)"
    watch(lambda: child(program), lambda snapshot: snapshot.status().samples == 1)


def test_a_mute_sampler_times_out() -> None:
    """No line within the time given raises TimeoutError, and killing it takes at once."""
    sampler = child("import time; time.sleep(60)")
    with pytest.raises(TimeoutError, match=r"no sample within 0\.2 s"):
        sampler.line(0.2)
    sampler.forget()
    until(sampler.is_gone, "its end", 5)
