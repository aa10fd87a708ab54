"""A request → room made for it, step by step, and a Report of what was found, done and gained."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from workloads.memguard import evict
from workloads.memguard.decide import Step, Verdict, decide
from workloads.memguard.memory import read
from workloads.memguard.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloads.memguard.config import Config
    from workloads.memguard.memory import Memory
    from workloads.memguard.request import Request

OF_CALLER = (Step.FILES,)  # whatever it may read, without a privilege
SETTLED_S = 2.0  # so long the kernel may take to count what it has freed


def of_unit(config: Config) -> tuple[Step, ...]:
    """The steps that the unit can take, as root."""
    return (*((Step.FOLDERS,) if config.folders else ()), Step.DROP, Step.SLAB, Step.COMPACT)


@dataclass(frozen=True)
class Taken:
    """One step that was taken. `freed_bytes`: by how much MemFree grew, other programs' doing included."""

    step: str
    freed_bytes: int
    cache_bytes: int
    files: int = 0
    faults: int = 0
    first_fault: str = ""


@dataclass(frozen=True)
class Report:
    """What was asked, how it ended, and what is between. Times are CLOCK_MONOTONIC's."""

    request: str
    verdict: str
    code: int
    wanted_bytes: int
    before: dict[str, int]
    after: dict[str, int]
    steps: list[dict[str, Any]] = field(default_factory=list)
    serving: list[str] = field(default_factory=list)
    nvml: str = ""
    wait_s: float = 0.0
    simulated: bool = False
    began_s: float = 0.0
    ended_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Guard:
    """One attempt. `wait_s`: how long system-wide steps are still forbidden; asked before each; `took` hears of it."""

    config: Config
    request: Request
    ladder: Sequence[Step]
    files: Sequence[str] = ()
    wait_s: Callable[[], float] = lambda: 0.0
    took: Callable[[], None] = lambda: None

    def run(self) -> Report:
        """Take steps until there is room or none is left; raises UnreadableError and OSError."""
        began, before = time.monotonic(), read(self.config.procfs)
        now, done, taken = before, [], []  # type: tuple[Memory, list[Step], list[Taken]]
        busy, wait = None, 0.0
        while isinstance(verdict := self._next(now, done), Step):
            if busy is None and not self.request.force:
                busy = serving(self.config.serving)
                if busy.who:
                    verdict = Verdict.SERVING
                    break
            if verdict.is_system_wide and (wait := self.wait_s()) > 0:
                verdict = Verdict.TOO_SOON
                break
            taken.append(self._take(verdict, now))
            done.append(verdict)
            now = read(self.config.procfs)
        return Report(
            request=self.request.instance,
            verdict=verdict.value,
            code=verdict.code,
            wanted_bytes=self.request.need_bytes + self.config.floor_bytes if self.request.need else 0,
            before=figures(before),
            after=figures(now),
            steps=[asdict(step) for step in taken],
            serving=list(busy.who) if busy else [],
            nvml=busy.silent if busy else "",
            wait_s=round(wait, 1),
            simulated=self.config.simulated,
            began_s=began,
            ended_s=time.monotonic(),
        )

    def _next(self, now: Memory, done: Sequence[Step]) -> Step | Verdict:
        return decide(now, self.request, self.config.floor_bytes, self.ladder, done)

    def _take(self, step: Step, before: Memory) -> Taken:
        if step.is_system_wide:
            self.took()
        advised = act(step, self.config, self.files)
        after = settled(self.config, before) if step is not Step.COMPACT else read(self.config.procfs)
        return Taken(
            step.value,
            after.free - before.free,
            max(0, before.cache - after.cache),
            advised.files,
            advised.faults,
            advised.first_fault,
        )


def act(step: Step, config: Config, files: Sequence[str] = ()) -> evict.Advised:
    """Carry out one step; OSError when this process may not."""
    if step is Step.FILES:
        return evict.fadvise(files)
    if step is Step.FOLDERS:
        return evict.fadvise(config.folders)
    if step is Step.COMPACT:
        evict.switch(config.vm, "compact_memory", 1)
    else:
        evict.switch(config.vm, "drop_caches", 3 if step is Step.SLAB else 1)
    return evict.Advised()


def settled(config: Config, before: Memory) -> Memory:
    """A reading after the kernel has counted: its counters of each processor are put together about once a second."""
    until = time.monotonic() + SETTLED_S
    now = read(config.procfs)
    while now.free <= before.free and now.cache < before.cache and time.monotonic() < until:
        time.sleep(0.05)
        now = read(config.procfs)
    return now


def figures(now: Memory) -> dict[str, int]:
    """A reading as reports tell it, in bytes."""
    return {
        "free_bytes": now.free,
        "available_bytes": now.available,
        "allocatable_bytes": now.allocatable,
        "cache_bytes": now.cache,
        "large_blocks": now.large_blocks,
        "large_free_bytes": now.large_free,
    }
