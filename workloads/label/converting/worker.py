"""Tasks, a line of JSON each on stdin → answers, a line each on stdout; in a cage that closes before the first one.

A copy of `template` runs this, so that neither the time nor the faults of libraries and models are a document's.
Whatever a reader raises becomes an answer; what kills the process is told by its death.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import socket
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workloads.errors import DISK_FULL, printable
from workloads.label.converting import cage
from workloads.label.converting.formats import RefusedError
from workloads.label.converting.messages import Answer, Reader, Task
from workloads.label.records import Record, Why

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.label.converting.readers import Place

MODULES = {
    Reader.TRIAGE: ("pdf", "triage"), Reader.COUNT: ("pdf", "count"),
    Reader.PLAIN: ("pdf", "plain"), Reader.RENDER: ("pdf", "render"),
    Reader.TEXT: ("text", "read"), Reader.TABLE: ("table", "read"), Reader.STRIPPED: ("stripped", "read"),
    Reader.MARKUP: ("markup", "read"), Reader.LAYOUT: ("layout", "read"), Reader.VISION: ("vision", "read"),
    Reader.ENDPOINT: ("endpoint", "read"), Reader.DOCTAGS: ("doctags", "read"),
}  # fmt: skip


class Settings(Record):
    """What a worker is told once, when it starts."""

    folder: Path
    memory_bytes: int
    parent: int
    threads: int
    patience_s: float  # that the models' server has for an answer
    endpoint: str = ""


def main(settings: Settings, template: Place) -> None:
    """Until stdin ends. Descriptors: tasks, answers, what libraries print, and the models' server if there is one."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print; only answers go to who asked
    readable = [*cage.own_code(), template.artifacts]
    held = cage.close(
        settings.folder, readable, settings.memory_bytes, settings.parent, network=bool(settings.endpoint)
    )
    _say(answers, {"held": held})
    models = socket.socket(fileno=3) if template.served else None
    if models:
        models.settimeout(settings.patience_s)
    place = dataclasses.replace(
        template, folder=settings.folder, threads=settings.threads, endpoint=settings.endpoint, models=models
    )
    with open(0, encoding="utf-8", closefd=False) as tasks:
        for line in tasks:
            _say(answers, done(Task.model_validate_json(line), place).model_dump(mode="json"))


def done(task: Task, place: Place) -> Answer:
    """The answer; a reader's failure is one, too."""
    try:
        return _reader(task.reader)(task, place)
    except RefusedError as error:
        return Answer(why=error.why, detail=printable(error.detail))
    except MemoryError:
        return Answer(why=Why.MEMORY, detail="it wants more memory than a worker may have")
    except RecursionError:
        return Answer(why=Why.UNREADABLE, detail="nested too deeply")
    except Exception as error:  # noqa: BLE001  (whatever a library raises for a bad document)
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return Answer(no_room=True)
        return Answer(why=Why.UNREADABLE, detail=printable(f"{type(error).__name__}: {error}"))


def _reader(reader: Reader) -> Callable[[Task, Place], Answer]:
    module, name = MODULES[reader]
    function: Callable[[Task, Place], Answer] = getattr(
        importlib.import_module(f"workloads.label.converting.readers.{module}"), name
    )
    return function


def _say(answers: IO[str], words: dict[str, Any]) -> None:
    answers.write(json.dumps(words) + "\n")
    answers.flush()
