"""A reading, a need, what was done so far → the next step, or the verdict. Pure: here stands the whole policy.

The gentlest comes first: files that the caller names, then folders of weights that are described, then all page cache,
directory entries only if asked for. Compaction is last: what was evicted gives it something to join.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from workloads.memguard.memory import Memory
    from workloads.memguard.request import Request

# Of the need, as much should be in free blocks of 2 MiB and more. This project's choice: no figure is published.
LARGE_SHARE = 0.5


class Step(StrEnum):
    """One thing that frees memory; the value names it in reports and metrics."""

    FILES = "fadvise on the named files"
    FOLDERS = "fadvise on the described folders"
    DROP = "drop_caches 1"
    SLAB = "drop_caches 3"
    COMPACT = "compact_memory"

    @property
    def is_system_wide(self) -> bool:
        """Whether everybody on the machine feels it: such steps are rate-limited."""
        return self in {Step.DROP, Step.SLAB, Step.COMPACT}


EVICTIONS = (Step.FILES, Step.FOLDERS, Step.DROP, Step.SLAB)


class Verdict(StrEnum):
    """How it ended. It answers whether the load may begin, not what is wrong with the machine."""

    ENOUGH = "enough"
    MADE_ROOM = "made room"
    DOES_NOT_FIT = "does not fit"
    STILL_SHORT = "still short"
    SERVING = "a GPU job serves"
    TOO_SOON = "too soon after the last time"

    @property
    def code(self) -> int:
        """The exit code: 0, the load may begin. 1 and 2 are for the guard's own failures."""
        codes = {"does not fit": 3, "still short": 4, "a GPU job serves": 5, "too soon after the last time": 6}
        return codes.get(self.value, 0)


@dataclass(frozen=True)
class Room:
    """What must be there: the need free at once, and beside it the floor, which a load takes after its weights."""

    need: int
    floor: int

    @property
    def wanted(self) -> int:
        """Bytes that should be free before the load begins."""
        return self.need + self.floor


def decide(
    now: Memory, request: Request, floor: int, ladder: Collection[Step], done: Collection[Step]
) -> Step | Verdict:
    """What to do next, of the steps that this process can take (`ladder`, in order) and has not taken (`done`)."""
    if not request.need:
        return Verdict.ENOUGH
    room = Room(request.need_bytes, floor)
    if room.wanted > now.allocatable:
        return Verdict.DOES_NOT_FIT
    is_short = now.at_once < room.wanted
    left = [step for step in ladder if step not in done and (step is not Step.SLAB or request.slab)]
    if is_short:
        for step in left:
            if step in EVICTIONS:
                return step
    if Step.COMPACT in left and not now.huge_total and now.large_free < LARGE_SHARE * room.need:
        return Step.COMPACT
    if is_short:
        return Verdict.STILL_SHORT
    return Verdict.MADE_ROOM if done else Verdict.ENOUGH
