"""Tasks → answers, by worker processes that are fed one task at a time, timed, weighed and killed without asking.

A task ends in an answer or in a Death: late, too heavy, or gone by itself. One thread, no locks, no pickles: what a
worker says is a line of JSON that is checked, and it is cut off when it says too much.
"""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import time
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from workloads.errors import ConfigError, NodeError, printable
from workloads.label.converting.messages import Answer, Reader
from workloads.label.converting.process import CAGE, Death, Limits, Worker, own_death, start
from workloads.label.converting.worker import Settings
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.label.converting.messages import Task

WEIGH_EVERY_S = 0.1
START_WITHIN_S = 300.0  # libraries and models, from a cold disk
MOST_STILLBORN = 3  # workers in a row that die before they can begin
ASKING = 2  # slices whose pages are with the endpoint, each with several at once
MOST_ANSWER_BYTES = 256 << 20


class Pool:
    """So many workers below `folder`. Use as a context: none outlives it, and none outlives this process."""

    def __init__(self, folder: Path, count: int, limits: Limits, artifacts: Path, endpoint: str = "") -> None:
        self._folder, self._count, self._limits = folder, count, limits
        self._artifacts, self._endpoint = artifacts, endpoint
        self._workers: list[Worker] = []
        self._events = selectors.DefaultSelector()
        self._number = self._stillborn = 0
        self.held: list[str] | None = None  # what the cage of a worker holds, once one has told

    def __enter__(self) -> Self:
        """Workers start when they are needed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Kill them all."""
        for worker in list(self._workers):
            self._discard(worker)
        self._events.close()

    def free(self, reader: Reader) -> bool:
        """Whether a task for it can begin. Those that ask the endpoint are beside the others: they only wait."""
        network = reader == Reader.ENDPOINT
        doing = sum(worker.doing is not None for worker in self._workers if worker.network == network)
        return doing < (ASKING if network else self._count)

    def worker(self, reader: Reader) -> Worker:
        """A worker that is free, one that knows the reader's libraries if there is one. Call it only while `free`."""
        network = reader == Reader.ENDPOINT
        for worker in [each for each in self._workers if each.doing is None]:
            if worker.process.poll() is not None:  # killed from outside while it waited
                self._discard(worker)
        own = [worker for worker in self._workers if worker.network == network]
        idle = sorted((each for each in own if each.doing is None), key=lambda each: reader not in each.warm)
        if idle and (reader in idle[0].warm or len(own) >= (ASKING if network else self._count)):
            return idle[0]
        return self._start(network=network)

    def give(self, worker: Worker, task: Task) -> None:
        """Begin; the clock starts when the worker has loaded what the task's reader needs."""
        worker.doing, worker.tasks = task, worker.tasks + 1
        worker.due = time.monotonic() + START_WITHIN_S
        if task.reader not in worker.warm:
            worker.expect.append(task.reader)
            worker.tell(json.dumps({"warm": task.reader}))
        if not worker.expect:
            self._ask(worker)

    def ended(self) -> Iterator[tuple[Worker, Answer | Death]]:
        """Wait a moment, then tell which tasks have ended and how.

        Raises NodeError when workers cannot even start: that is no document's fault.
        """
        for key, _ in self._events.select(WEIGH_EVERY_S):
            self._hear(key.data)
        for worker in [each for each in self._workers if each.doing]:
            if (line := self._line(worker)) is not None:
                if worker.expect:
                    self._ready(worker, line)
                else:
                    yield worker, self._answered(worker, line)
            elif end := self._over(worker):
                self._end(worker)
                if worker.expect:  # whatever it died of, it was not the task
                    self._not_started(worker, end)
                    end = dataclasses.replace(end, ours=False)
                yield worker, end

    def release(self, worker: Worker) -> None:
        """Its task's files are no longer needed; a worker that has done enough makes room for a new one."""
        worker.doing = None
        if worker not in self._workers or worker.tasks >= self._limits.recycle:
            self._discard(worker)
        else:
            worker.clear()

    def _ask(self, worker: Worker) -> None:
        assert worker.doing  # noqa: S101
        worker.began = time.monotonic()
        worker.due = worker.began + self._limits.timeout_s
        worker.tell(worker.doing.model_dump_json())

    def _ready(self, worker: Worker, line: bytes) -> None:
        """It told that its cage is closed, or that a reader is loaded."""
        told, expected = json.loads(line), worker.expect.popleft()
        if expected == CAGE and not worker.network:
            self.held = told["held"] if self.held is None else [each for each in self.held if each in told["held"]]
        elif told.get("error"):
            raise NodeError(
                f"the reader {expected} cannot be loaded: {printable(told['error'])}",
                usually="this environment or the model files are not what the project was tested with",
                next_step="no document was touched by it; mend that and run again.",
            )
        elif expected != CAGE:
            worker.warm.add(Reader(expected))
            self._stillborn = 0
        if not worker.expect:
            self._ask(worker)

    def _not_started(self, worker: Worker, end: Death) -> None:
        """A worker may be killed by somebody else once or twice; when it always dies, it is the machine's fault."""
        self._stillborn += 1
        if self._stillborn >= MOST_STILLBORN:
            word = printable(worker.said.strip()[-200:]) or "no word"
            raise ConfigError(
                f"workers die before they can begin: {end.detail}; {word}",
                usually=f"convert.memory_mib ({self._limits.memory_bytes >> 20}) is too little for the libraries",
                next_step="no document was touched; raise it and run again.",
            )

    def _answered(self, worker: Worker, line: bytes) -> Answer | Death:
        try:
            return Answer.model_validate_json(line)
        except ValidationError:
            self._end(worker)
            return Death(Why.HOSTILE, "the worker's answer is none", ours=True)

    def _over(self, worker: Worker) -> Death | None:
        """Whether the worker's task has come to an end without an answer. Pure but for the clock and /proc."""
        most, weight = self._limits.memory_bytes, worker.weigh()
        if worker.process.poll() is not None:
            return own_death(worker, most)
        if weight > most:
            return Death(Why.MEMORY, f"more than {most >> 20} MiB of memory", ours=True)
        if time.monotonic() > worker.due:
            return Death(Why.TIMEOUT, f"not done after {self._limits.timeout_s:g} s", ours=True)
        if len(worker.heard) > MOST_ANSWER_BYTES:
            return Death(Why.HOSTILE, f"more than {MOST_ANSWER_BYTES >> 20} MiB of text", ours=True)
        return None

    def _start(self, *, network: bool) -> Worker:
        self._number += 1
        folder = self._folder / f"worker-{self._number}"
        worker = start(self._number, folder, Settings(
            folder=folder, artifacts=self._artifacts, memory_bytes=self._limits.memory_bytes,
            threads=self._limits.threads, parent=os.getpid(), endpoint=self._endpoint if network else "",
        ))  # fmt: skip
        self._workers.append(worker)
        self._events.register(worker.ear, selectors.EVENT_READ, worker)
        return worker

    def _hear(self, worker: Worker) -> None:
        try:
            worker.heard += os.read(worker.ear, 1 << 20)
        except BlockingIOError:
            return

    @staticmethod
    def _line(worker: Worker) -> bytes | None:
        end = worker.heard.find(b"\n")
        if end < 0:
            return None
        line = bytes(worker.heard[:end])
        del worker.heard[: end + 1]
        return line

    def _discard(self, worker: Worker) -> None:
        if worker in self._workers:
            self._end(worker)
        worker.vanish()

    def _end(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._events.unregister(worker.ear)
        worker.end()
