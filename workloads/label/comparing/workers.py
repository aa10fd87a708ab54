"""Entries and places → a process a place, which trains and asks its share; what they tell, while they do.

A process that dies takes nothing along but steps since its last state: the next comparison goes on from there.
"""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing import connection
from typing import TYPE_CHECKING

from workloads.errors import NodeError
from workloads.label.comparing import together

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess

    from workloads.label.comparing.room import Place
    from workloads.label.comparing.together import Task


def run(shares: list[list[Task]], places: list[Place], at_once: int, tell: Callable[[str, int, int], None]) -> None:
    """Until every share is done; raises NodeError when a process fails, and leaves none behind."""
    context = multiprocessing.get_context("spawn")  # a copy of this process would have its threads' locks, not them
    running: dict[connection.Connection, SpawnProcess] = {}
    try:
        for tasks, place in zip(shares, places, strict=False):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=together.work, args=(place, tasks, at_once, theirs))
            process.start()
            theirs.close()
            running[ours] = process
        while running:
            for ready in connection.wait(list(running)):
                _hear(ready, running, tell)  # type: ignore[arg-type]  # they are what was handed in
    finally:
        for process in running.values():
            process.kill()
            process.join()


def _hear(
    ready: connection.Connection, running: dict[connection.Connection, SpawnProcess],
    tell: Callable[[str, int, int], None],
) -> None:  # fmt: skip
    """One message; or the end of the process that held the other end."""
    try:
        tell(*ready.recv())
    except EOFError:
        process = running.pop(ready)
        process.join()
        if process.exitcode:
            raise _death(process.exitcode) from None


def _death(code: int) -> NodeError:
    if code < 0:
        return NodeError(
            f"a process that trained was ended by {signal.Signals(-code).name}",
            usually="the machine ran out of memory, or somebody ended it",
            next_step="run the same command again: it goes on where it stopped; with compare.at_once fewer at a time.",
        )
    return NodeError(f"a process that trained ended with status {code}", next_step="its log has what it said.")
