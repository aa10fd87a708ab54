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

from workloads.errors import ConfigError, printable
from workloads.label.converting.copies import START_WITHIN_S, Copies
from workloads.label.converting.messages import Answer, Reader
from workloads.label.converting.process import Death, Limits, Worker, own_death
from workloads.label.converting.serving import GONE
from workloads.label.converting.worker import Settings
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workloads.label.converting.messages import Task
    from workloads.label.converting.sizes import Sizes

WEIGH_EVERY_S = 0.1
MOST_STILLBORN = 3  # workers in a row that die before they can begin
ASKING = 2  # slices whose pages are with the endpoint, each with several at once
MOST_ANSWER_BYTES = 256 << 20
PATIENCE = 0.5  # of a task's time: a server that hangs is found out before the task is late
SERVED = {Reader.LAYOUT, Reader.VISION}  # readers whose models a server can have


class Pool:
    """So many workers below `folder`. Use as a context: none outlives it, and none outlives this process."""

    def __init__(self, folder: Path, sizes: Sizes, limits: Limits, artifacts: Path, endpoint: str = "") -> None:
        self._folder, self._count, self._limits, self._endpoint = folder, sizes.workers, limits, endpoint
        self._threads = sizes.threads
        folder.mkdir(parents=True, exist_ok=True)
        self._copies = Copies(folder, artifacts, sizes)
        self._workers: list[Worker] = []
        self._events = selectors.DefaultSelector()
        self._number = self._stillborn = 0
        self.held: list[str] | None = None  # what the cage of a worker holds, once one has told

    def __enter__(self) -> Self:
        """Workers start when they are needed."""
        self._copies.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill them all."""
        for worker in list(self._workers):
            self._discard(worker)
        self._copies.__exit__()
        self._events.close()

    def load(self, readers: Iterable[Reader]) -> None:
        """Make ready for these at once; raises NodeError when one cannot be loaded: that is no document's fault."""
        wanted = set(readers)
        self._copies.serve(wanted & SERVED)
        self._copies.load(sorted(wanted))

    def free(self, reader: Reader) -> bool:
        """Whether a task for it can begin. Those that ask the endpoint are beside the others: they only wait."""
        network = reader == Reader.ENDPOINT
        doing = sum(worker.doing is not None for worker in self._workers if worker.network == network)
        return doing < (ASKING if network else self._count)

    def worker(self, reader: Reader) -> Worker:
        """A worker that is free and knows the reader; one that does not makes room. Call it only while `free`."""
        self.load([reader])
        network = reader == Reader.ENDPOINT
        own = [worker for worker in self._workers if worker.network == network]
        for worker in [each for each in own if each.doing is None]:
            fresh = worker.generation == self._copies.generation or reader not in SERVED
            if reader in worker.warm and fresh and worker.process.poll() is None:
                return worker
            self._discard(worker)
        return self._start(network=network)

    def give(self, worker: Worker, task: Task) -> None:
        """Begin; the clock starts when the worker's cage is closed."""
        worker.doing, worker.tasks = task, worker.tasks + 1
        worker.due = time.monotonic() + START_WITHIN_S
        if worker.caged:
            self._ask(worker)

    def ended(self) -> Iterator[tuple[Worker, Answer | Death]]:
        """Wait a moment, then tell which tasks have ended and how.

        Raises NodeError when workers cannot even start: that is no document's fault.
        """
        for key, _ in self._events.select(WEIGH_EVERY_S):
            self._hear(key.data)
        for worker in [each for each in self._workers if each.doing]:
            if (line := self._line(worker)) is not None:
                if not worker.caged:
                    self._ready(worker, line)
                else:
                    yield worker, self._answered(worker, line)
            elif end := self._over(worker):
                self._end(worker)
                if worker.process.returncode == GONE and worker.generation == self._copies.generation:
                    self._copies.forsake()
                if not worker.caged:  # whatever it died of, it was not the task
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
        """It told that its cage is closed."""
        held = json.loads(line)["held"]
        if not worker.network:
            self.held = held if self.held is None else [each for each in self.held if each in held]
        worker.caged, self._stillborn = True, 0
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
        folder.mkdir()
        settings = Settings(
            folder=folder, memory_bytes=self._limits.memory_bytes, parent=os.getpid(), threads=self._threads,
            patience_s=PATIENCE * self._limits.timeout_s,
            endpoint=self._endpoint if network else "",
        )  # fmt: skip
        with folder.with_suffix(".log").open("ab") as log:
            process = self._copies.start(settings, log.fileno())
        known = frozenset(self._copies.loaded)
        worker = Worker(self._number, process, folder, network, known, self._copies.generation)
        self._workers.append(worker)
        self._events.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _hear(self, worker: Worker) -> None:
        try:
            worker.heard += os.read(worker.process.stdout, 1 << 20)
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
        self._events.unregister(worker.process.stdout)
        worker.process.kill()
