"""A command or a call → wall seconds and the controller's processor seconds; many of them → medians."""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LIMIT_S = 1800
SHOWN_CHARACTERS = 3000


class BenchError(Exception):
    """A measured command failed, or did not do what it is measured for: there is no number then."""


@dataclass(frozen=True)
class Run:
    """One measured run."""

    wall_s: float
    cpu_s: float


def median(runs: Sequence[Run]) -> Run:
    """The middle of each number by itself."""
    return Run(statistics.median(r.wall_s for r in runs), statistics.median(r.cpu_s for r in runs))


def process(words: Sequence[str], env: Mapping[str, str]) -> Run:
    """A whole process, from exec to exit, with all its children; raises BenchError when it fails."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        words, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-SHOWN_CHARACTERS:]
        raise BenchError(f"`{' '.join(words)}` ended with code {done.returncode}:\n{said}")
    return Run(wall, _cpu(after) - _cpu(before))


def call(function: Callable[[], object]) -> Run:
    """A call in this process."""
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    function()
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    return Run(wall, _cpu(after) - _cpu(before))


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime
