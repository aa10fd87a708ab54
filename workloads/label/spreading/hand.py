"""Pieces of a project, as files → the stage, run on them on this machine; each record that it writes is told at once.

A share is a small workspace: the project's own project.toml, and the records that the stage reads. So what runs here is
the very stage, in a process of its own, with this machine's models and its workers' cages; this process only watches.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from workloads.errors import NodeError
from workloads.label import flow, progress
from workloads.label import site as sites

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.label.workspace import Workspace

WATCH_EVERY_S = 0.2
FOLDER = ".spread"  # below the workspace: no project is called so
ENDED = "ended"


class Order(NamedTuple):
    """What a hand does with each share. `watched`: a file of records → what lies beside each, by the record's keys."""

    stage: str
    watched: dict[str, tuple[str, ...]]


class Said(NamedTuple):
    """A line of the file `of`, with what lies beside it; of ENDED: nothing, or the error that the stage ended with."""

    of: str
    line: bytes
    files: dict[str, bytes]


class Hand:
    """One machine's. There is one at a time on it: whatever lies in its folder is a dead one's."""

    def __init__(self, order: Order, common: dict[str, bytes]) -> None:
        self._order, self._site = order, sites.load()
        self._place = self._site.workspace / FOLDER
        shutil.rmtree(self._place, ignore_errors=True)
        _lay_out(self._place / "common", common)

    def ready(self) -> None:
        """Answer, so that who asks knows that this machine is free and its files are as they should be."""

    def work(self, files: dict[str, bytes]) -> Iterator[list[Said]]:
        """Run the stage on a share; the last word of all is ENDED."""
        folder = self._place / "share"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._place / "common", folder, copy_function=os.link)
        _lay_out(folder, files)
        _lay_out(folder, {"site.json": json.dumps(self._own(folder)).encode()})
        os.chdir(folder)  # a document's source is a folder of the share, by its name alone
        at = flow.place(folder / "project", folder / "site.json")
        read = dict.fromkeys(self._order.watched, 0)
        with ThreadPoolExecutor(1) as one:
            running = one.submit(flow.run, at, (self._order.stage,), progress.Silent())
            while not running.done():
                if new := list(self._new(at.work, read)):
                    yield new
                time.sleep(WATCH_EVERY_S)
        failed = running.result().failed
        yield [*self._new(at.work, read), Said(ENDED, told(flow.failure(failed)) if failed else b"", {})]

    def _own(self, folder: Path) -> dict[str, Any]:
        """The site of a share: this machine's models and environment, a workspace of its own, and no service."""
        own = self._site.model_dump(mode="json", include={"datasets", "artifacts", "python"})
        return {**own, "workspace": str(folder / "work")}

    def _new(self, work: Workspace, read: dict[str, int]) -> Iterator[Said]:
        """The whole lines that were added since, and what lies beside them."""
        for name, patterns in self._order.watched.items():
            file = work.path(name)
            if not file.exists():
                continue
            with file.open("rb") as lines:
                lines.seek(read[name])
                fresh = lines.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            read[name] += len(whole)
            for line in whole.splitlines():
                yield Said(name, line, _beside(work, json.loads(line), patterns))


def told(error: NodeError) -> bytes:
    """An error in its parts, for another machine; `heard` makes one of it again."""
    parts = {"what": error.what, "usually": error.usually, "next": error.next_step, "exit_code": error.exit_code}
    return json.dumps(parts).encode()


def heard(line: bytes, machine: str) -> NodeError:
    """What `told` said, and where."""
    parts = json.loads(line)
    error = NodeError(f"{machine}: {parts['what']}", usually=parts["usually"], next_step=parts["next"])
    error.exit_code = parts["exit_code"]
    return error


def _beside(work: Workspace, record: dict[str, Any], patterns: tuple[str, ...]) -> dict[str, bytes]:
    found = [file for pattern in patterns for file in work.folder.glob(pattern.format_map(record))]
    return {file.relative_to(work.folder).as_posix(): file.read_bytes() for file in found}


def _lay_out(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
