"""A request that fails now and then → its answer, or one error after a while. Knows no service.

What an error means is for the caller to say: `Again` is worth another try, anything else is final. Waits double up to
a limit and vary by a quarter, so that a server that comes back is not met by everybody in the same second.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


class Again(Exception):  # noqa: N818  (it says what to do)
    """Another try may help; `final` is raised when no time is left for one."""

    def __init__(self, final: Exception, *, within_s: float | None = None) -> None:
        super().__init__(str(final))
        self.final, self.within_s = final, within_s


@dataclass(frozen=True)
class Patience:
    """Seconds. `total_s` counts from the first failure, so a long export does not use it up."""

    answer_s: float = 60.0  # that a server may be silent within one request
    total_s: float = 180.0  # a restart of Label Studio takes a minute and a half on a busy machine
    first_s: float = 0.5
    most_s: float = 15.0


def insist(
    attempt: Callable[[], R],
    patience: Patience,
    notice: Callable[[str, float], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> R:
    """What `attempt` returns; tries again for as long as it raises Again, telling `notice` why and for how long."""
    began: float | None = None
    wait = patience.first_s
    while True:
        try:
            return attempt()
        except Again as again:
            began = clock() if began is None else began
            left = min(patience.total_s, again.within_s or patience.total_s) - (clock() - began)
            if left <= 0:
                raise again.final from again
            pause = min(wait, patience.most_s) * random.uniform(0.75, 1.25)  # noqa: S311  (no secret)
            notice(str(again), pause)
            sleep(min(pause, left))
            wait *= 2
