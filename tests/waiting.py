"""What a test waits for → its first true answer, or a failure that names it: a deadline instead of a sleep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(look: Callable[[], T], what: object, within_s: float = 30.0, every_s: float = 0.02) -> T:
    """The first true answer of `look`; AssertionError with `what` was awaited when none comes in time.

    Where `what` is a function, it is asked then: what is left, for example.
    """
    end = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end, f"{what() if callable(what) else what}: not within {within_s:g} s"
        time.sleep(every_s)
    return found
