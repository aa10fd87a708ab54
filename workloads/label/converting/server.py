"""Questions of many workers → batches for the one copy of each model that a GPU holds → answers.

    python -P -m workloads.label.converting.server SETTINGS       (workers' sockets come over the one that is its stdin)

A batch is whatever waits when the one before is done: nobody waits for company. It opens no document; it gets dots of
pages from workers that a document may have in its hands, behind a cage like theirs. A question that the model fails on
is asked again alone, so that it costs none of the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workloads.errors import printable
from workloads.label.converting import cage
from workloads.label.converting.messages import Reader
from workloads.label.converting.readers import Place
from workloads.label.converting.serving import Boxes, Question, Told, receive, send
from workloads.label.records import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

WRITE_WITHIN_S = 10.0  # a worker that does not listen is let go


class Model(Protocol):
    """Pages and prompts → one answer each."""

    def __call__(self, pages: Sequence[tuple[tuple[int, int], bytearray]], prompts: list[str]) -> Sequence[Boxes | str]:
        """A page is its width and height, and its dots in RGB."""


class Setting(Record):
    """What the server is told once, when it starts."""

    folder: Path
    artifacts: Path
    threads: int
    memory_bytes: int
    parent: int
    readers: list[Reader]
    batch: int  # pages that a model takes at once


@dataclass
class Asked:
    """A question that waits, and who wants to know."""

    line: socket.socket
    question: Question
    body: bytearray

    @property
    def pages(self) -> list[tuple[tuple[int, int], bytearray]]:
        """Cut from the body."""
        found, at = [], 0
        for width, height in self.question.sizes:
            found.append(((width, height), self.body[at : at + 3 * width * height]))
            at += 3 * width * height
        return found


def main(setting: Setting) -> None:
    """Until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the one who started us
    readable = [*cage.own_code(), setting.artifacts]
    cage.close(setting.folder, readable, setting.memory_bytes, setting.parent)
    line = socket.socket(fileno=os.dup(0))
    try:
        models = {reader: _model(reader, setting) for reader in setting.readers}
    except Exception as error:  # noqa: BLE001  (told to who started us)
        send(line, Told(error=printable(f"{type(error).__name__}: {error}")))
        return
    send(line, Told())
    waiting: queue.Queue[Asked] = queue.Queue()
    threading.Thread(target=_callers, args=(line, models, waiting), daemon=True).start()
    while True:
        for reader, asked in taken(waiting, setting.batch).items():
            answer(models[reader], asked)


def taken(waiting: queue.Queue[Asked], most_pages: int) -> dict[Reader, list[Asked]]:
    """The next question, and those that wait already, by model, until a batch is full."""
    found: dict[Reader, list[Asked]] = {}
    pages = 0
    with contextlib.suppress(queue.Empty):
        while pages < most_pages:
            asked = waiting.get() if not found else waiting.get_nowait()
            found.setdefault(asked.question.reader, []).append(asked)
            pages += len(asked.question.sizes)
    return found


def answer(model: Model, asked: list[Asked]) -> None:
    """Ask the model once for all of them; each gets its own part."""
    try:
        pages = [page for each in asked for page in each.pages]
        told = model(pages, [prompt for each in asked for prompt in each.question.prompts])
    except Exception as error:  # noqa: BLE001  (whatever a library raises for one page)
        if len(asked) > 1:
            for each in asked:
                answer(model, [each])
        else:
            _say(asked[0].line, Told(error=printable(f"{type(error).__name__}: {error}")))
        return
    for each in asked:
        own, told = told[: len(each.question.sizes)], told[len(each.question.sizes) :]
        boxes = [one for one in own if isinstance(one, Boxes)]
        _say(each.line, Told(boxes=boxes, texts=[one for one in own if isinstance(one, str)]))


def _say(line: socket.socket, told: Told) -> None:
    with contextlib.suppress(OSError):
        line.settimeout(WRITE_WITHIN_S)
        send(line, told)
        line.settimeout(None)


def _callers(line: socket.socket, readers: Collection[Reader], waiting: queue.Queue[Asked]) -> None:
    """Take in workers until nobody can send any; then everything is over."""
    while True:
        said, descriptors, _, _ = socket.recv_fds(line, 1, 1)
        if not said:
            os._exit(0)
        for each in descriptors:
            threading.Thread(target=_listen, args=(socket.socket(fileno=each), readers, waiting), daemon=True).start()


def _listen(line: socket.socket, readers: Collection[Reader], waiting: queue.Queue[Asked]) -> None:
    """One worker's questions; who asks what is none is let go."""
    with line, contextlib.suppress(EOFError, OSError, ValueError):
        while True:
            head, body = receive(line)
            question = Question.model_validate_json(head)
            if question.bytes != len(body) or question.reader not in readers:
                return
            waiting.put(Asked(line, question, body))


def _model(reader: Reader, setting: Setting) -> Model:
    from workloads.label.converting.readers import layout, vision

    place = Place(setting.folder, setting.artifacts, setting.threads)
    return layout.model(place) if reader == Reader.LAYOUT else vision.model(place)


if __name__ == "__main__":
    main(Setting(**json.loads(sys.argv[1])))
