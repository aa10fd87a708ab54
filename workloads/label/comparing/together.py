"""One place's entries → trained in turns in this process, and asked about the held-out set. Uses torch, by learning.

On a GPU the steps of several trainings overlap, each on a stream of its own; as many run at once as its memory takes.
On the CPU one follows the other: there are other processes beside this one. What an entry's model becomes depends on
none of that.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING

from workloads.label.comparing import room
from workloads.label.comparing.result import Said
from workloads.memguard import memory
from workloads.memguard.config import PROC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloads.label.comparing.plan import Entry
    from workloads.label.comparing.room import Place
    from workloads.label.learning.loop import Training
    from workloads.label.learning.making import Lesson
    from workloads.label.learning.scoring import Question

MODEL, PART = "model", "model.part"
TELL_EVERY = 10  # steps


@dataclass(frozen=True)
class Task:
    """An entry, where it lies, and what it is asked."""

    entry: Entry
    folder: Path
    save_steps: int
    questions: list[Question]
    said: str  # the file that its answer goes to

    @property
    def trained(self) -> Path:
        """Its model, once that is whole."""
        return self.folder / MODEL


@dataclass(frozen=True)
class Running:
    """A task whose model is in the memory."""

    task: Task
    lesson: Lesson
    training: Training
    began: int
    bytes: int


def work(place: Place, tasks: list[Task], at_once: int, tell: connection.Connection) -> None:
    """A process of its own: train and ask them all, and tell (digest, done, steps). Ends with the process above it."""
    os.environ |= {"OMP_NUM_THREADS": str(place.threads), "OMP_WAIT_POLICY": "passive"}
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if place.gpu is None else str(place.gpu)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    from workloads.label.learning import loop

    loop.threads(place.threads)
    together(tasks, at_once if place.gpu is not None else 1, lambda *words: tell.send(words))


def together(tasks: list[Task], at_once: int, tell: Callable[[str, int, int], None]) -> None:
    """Every one of them, in turns, as many at once as fit; 0: as many as the memory takes."""
    from workloads.label.learning import loop

    waiting, running, ready = deque(tasks), list[Running](), None
    free = loop.free_bytes() or memory.read(PROC).available
    while waiting or running or ready:
        while waiting or ready:
            ready = ready or _read(waiting.popleft())
            wanted = _bytes(ready[1])
            if not room.fits(wanted, [each.bytes for each in running], free, at_once):
                break
            running.append(_begun(*ready, wanted))
            ready = None
        for each in list(running):
            if not each.training.over:
                each.training.advance()
            if each.training.over or each.training.done % TELL_EVERY == 0:
                tell(each.task.entry.digest, each.training.done, each.training.steps)
            if each.training.over:
                running.remove(each)
                _end(each)


def _read(task: Task) -> tuple[Task, Lesson]:
    from workloads.label.learning import making

    entry, trained = task.entry, task.trained if task.trained.exists() else None
    return task, making.lesson(entry.examples, entry.recipe, entry.base, trained)


def _bytes(lesson: Lesson) -> int:
    config = lesson.model.config
    tokens = lesson.recipe.batch * min(lesson.most, max(len(each.ids) for each in lesson.windows))
    return room.training_bytes(lesson.model.num_parameters(), config.num_hidden_layers, config.hidden_size, tokens)


def _begun(task: Task, lesson: Lesson, wanted: int) -> Running:
    from workloads.label.learning import loop

    task.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    training = loop.Training(lesson.model, lesson.windows, lesson.pace(task.save_steps), task.folder)
    if task.trained.exists():
        training.done = training.steps
    return Running(task, lesson, training, training.done, wanted)


def _end(each: Running) -> None:
    """Its model is put down, whole; then what it says of the held-out set."""
    from workloads.label.learning import loop, making
    from workloads.label.workspace import Workspace

    each.training.wait()
    task, lesson, part = each.task, each.lesson, each.task.folder / PART
    if not task.trained.exists():
        shutil.rmtree(part, ignore_errors=True)
        making.saved(lesson, part)
        part.rename(task.trained)
    (task.folder / loop.STATE).unlink(missing_ok=True)
    said = Said(
        parameters=lesson.model.num_parameters(), steps=each.training.steps - each.began, counts=_counts(task, lesson)
    )
    Workspace(task.folder).put(task.said, said.model_dump_json().encode())


def _counts(task: Task, lesson: Lesson) -> list[list[list[int]]]:
    from workloads.label.learning import decode, scoring
    from workloads.label.learning.export import Weights
    from workloads.label.learning.model import Reader

    recipe = lesson.recipe
    reader = Reader(lesson.tokenizer, Weights(lesson.model), lesson.most, recipe.overlap_tokens)
    read = reader.read([each.text for each in task.questions], recipe.batch)
    told = [decode.spans(each.words, each.logits, recipe.labels, 1.0) for each in read]
    counted: list[list[list[int]]] = scoring.counts(task.questions, told, recipe.labels).astype(int).tolist()
    return counted


def _end_with_the_parent() -> None:
    """Whatever became of it: nobody else would ever read what this process makes."""
    above = parent_process()
    if above is not None:
        connection.wait([above.sentinel])
        os._exit(1)
