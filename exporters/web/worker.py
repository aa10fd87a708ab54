"""Functions that may take long → their results for an event loop, one after another in a thread of its own.

Not concurrent.futures: Python waits for its threads at exit, and one that hangs would keep a stopped exporter alive.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class BusyError(Exception):
    """As many functions as may wait are waiting."""


class Worker:
    """One daemon thread with a queue of at most `most` functions."""

    def __init__(self, name: str, most: int) -> None:
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue(most)
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, function: Callable[[], T]) -> T:
        """The function's result or exception; BusyError when the queue is full."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001  it belongs to whoever waits
                loop.call_soon_threadsafe(settle, future, partial(future.set_exception, error))
            else:
                loop.call_soon_threadsafe(settle, future, partial(future.set_result, result))

        try:
            self._queue.put_nowait(work)
        except queue.Full:
            raise BusyError from None
        return await future

    def _work(self) -> None:
        while True:
            work = self._queue.get()
            try:
                work()
            except RuntimeError:  # the loop has ended: nobody waits for this any more
                return


def settle(future: asyncio.Future[T], act: Callable[[], None]) -> None:
    """Give the future what came of it, unless nobody waits any more."""
    if not future.done():
        act()
