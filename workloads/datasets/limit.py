"""A bandwidth → how long each reader must wait before it takes its next bytes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_CONNECTION_BYTES_S = 1 << 20  # fewer bytes a second and connection, and stores hang up on the slow


class Limit:
    """Bytes a second over all threads; what is left waiting in sockets holds the store back."""

    def __init__(
        self,
        bytes_s: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """None is no limit."""
        self._bytes_s, self._clock, self._sleep = bytes_s, clock, sleep
        self._lock, self._free_at = threading.Lock(), clock()

    def take(self, size: int) -> None:
        """Return when `size` more bytes are within the bandwidth; one taker pays for the one before it."""
        if self._bytes_s is None:
            return
        with self._lock:
            now = self._clock()
            wait = max(0.0, self._free_at - now)
            self._free_at = max(self._free_at, now) + size / self._bytes_s
        if wait:
            self._sleep(wait)

    def connections(self, wanted: int) -> int:
        """How many connections the bandwidth keeps busy, at most `wanted`."""
        return wanted if self._bytes_s is None else max(1, min(wanted, self._bytes_s // LEAST_CONNECTION_BYTES_S))
