"""A process that has loaded what readers need → workers: copies of it, which need no time and little memory to begin.

    python -P -m workloads.label.converting.template SETTINGS       (orders on the socket that is its stdin)

It opens no document, so nothing of a document is in a later copy, and sees no GPU: a copy could not use what it began
there. A copy becomes the child of the process that gave the order, which must be a subreaper (prctl(2)).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from workloads.errors import printable
from workloads.label.converting import cage, worker
from workloads.label.converting.messages import Reader
from workloads.label.converting.readers import Place
from workloads.label.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ORDER_BYTES, MOST_DESCRIPTORS = 1 << 16, 4
ADOPTED_WITHIN_S = 5.0


class Setting(Record):
    """What the template is told once, when it starts."""

    folder: Path
    artifacts: Path
    parent: int
    served: bool  # models answer at the copy's fourth descriptor, not in the copy


class Order(Record):
    """Load these readers, then make a copy that does this; without `copy_as` only load."""

    warm: list[Reader] = Field(default_factory=list)
    copy_as: worker.Settings | None = None


class Done(Record):
    """What became of an order; `error` names the reader that cannot be loaded and why."""

    pid: int = 0
    error: str = ""


def main(setting: Setting) -> None:
    """Until the other end is closed."""
    cage.die_with(setting.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the one who started us
    # One thread: a second one of OpenMP would not live on in a copy, which would wait for it for ever.
    place = Place(setting.folder, setting.artifacts, threads=1, served=setting.served)
    with socket.socket(fileno=os.dup(0)) as line:
        while True:
            said, descriptors, _, _ = socket.recv_fds(line, MOST_ORDER_BYTES, MOST_DESCRIPTORS)
            if not said:
                return
            order = Order.model_validate_json(said)
            done = next((fault for reader in order.warm if (fault := warm(reader, place)).error), Done())
            if order.copy_as and not done.error:
                done = Done(pid=copied(order.copy_as, place, descriptors, line))
            for each in descriptors:
                os.close(each)
            line.send(done.model_dump_json().encode())


def warm(reader: Reader, place: Place) -> Done:
    """Load a reader's libraries and models; a fault is this environment's, no document is blamed for it."""
    try:
        module = importlib.import_module(f"workloads.label.converting.readers.{worker.MODULES[reader][0]}")
        if load := getattr(module, "warm", None):
            load(place)
    except Exception as error:  # noqa: BLE001  (told to who started us)
        word = printable(f"{type(error).__name__}: {error}") or "it failed without a word"
        return Done(error=f"{reader} cannot be loaded: {word}")
    return Done()


def copied(settings: worker.Settings, place: Place, descriptors: Sequence[int], line: socket.socket) -> int:
    """The number of a new worker. A process between us and it ends at once, so that it is our parent's child."""
    gc.collect()
    gc.freeze()  # what a copy's collector leaves alone stays shared memory
    ear, mouth = os.pipe()
    if between := os.fork():
        os.close(mouth)
        os.waitpid(between, 0)
        told = os.read(ear, 32)
        os.close(ear)
        return int(told)
    if child := os.fork():
        os.setpgid(child, child)  # it can be killed with all that it would start
        os.write(mouth, b"%d" % child)
        os._exit(0)
    try:
        for number, each in enumerate(descriptors):
            os.dup2(each, number)
        for number in {*descriptors, ear, mouth, line.fileno()} - set(range(len(descriptors))):
            os.close(number)
        _settle(settings)
        worker.main(settings, place)
    except BaseException as error:  # noqa: BLE001  (a copy must never go on as its template)
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def _settle(settings: worker.Settings) -> None:
    """Into its own folder, with what a library may have kept of the template's, once its parent is its parent."""
    due = time.monotonic() + ADOPTED_WITHIN_S
    while os.getppid() != settings.parent and time.monotonic() < due:
        time.sleep(0.0005)
    os.chdir(settings.folder)
    os.environ |= dict.fromkeys(("HOME", "TMPDIR", "HF_HOME"), str(settings.folder))
    tempfile.tempdir = None


if __name__ == "__main__":
    main(Setting(**json.loads(sys.argv[1])))
