"""Loaded by Python before `spark` when this folder is on PYTHONPATH: the process kills itself at its Nth act.

An act is what leaves a trace when the process is gone: an SSH command about to be sent, one just sent (the host carries
it out, nobody hears the answer), a change at the store before and after, a file of the controller renamed, linked or
deleted. KILL_AT is N, KILL_ROOT the controller's folder; KILL_LOG tells which act it was, one line each.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

AT, LOG = int(os.environ.get("KILL_AT", "0")), os.environ.get("KILL_LOG", "")
ROOT = os.environ.get("KILL_ROOT", "/nowhere")
numbers = itertools.count(1)


def act(what: str) -> None:
    """Count one act; the Nth is the last thing that this process does."""
    number = next(numbers)
    with Path(LOG).open("a") as log:
        log.write(f"{number} {what}\n")
    if number == AT:
        os.kill(os.getpid(), signal.SIGKILL)


def heard(event: str, arguments: tuple[Any, ...]) -> None:
    """Renames, links and deletions in the controller's folder."""
    if event in {"os.rename", "os.link", "os.remove"} and str(arguments[0]).startswith(ROOT):
        names = [Path(str(path)).name for path in arguments[:2] if not isinstance(path, int)]
        act(f"{event.removeprefix('os.')} {' to '.join(names)}")


def watch_ssh(module: ModuleType) -> None:
    """Before a command is sent, and when the whole of it was sent."""
    run = module.Session.run

    def counted(self: Any, command: str, *, stdin: str = "", **more: Any) -> Any:
        what = f"{self.target.name}: {word(stdin) or command}"
        act(f"before {what}")
        channel = sys.modules["paramiko"].Channel
        shut = channel.shutdown_write

        def sent(channel_: Any) -> None:
            shut(channel_)
            act(f"sent {what}")

        channel.shutdown_write = sent
        try:
            return run(self, command, stdin=stdin, **more)
        finally:
            channel.shutdown_write = shut

    module.Session.run = counted


def word(script: str) -> str:
    """What a script that goes over is told to do."""
    last = script.rstrip().rpartition("\n")[2]
    return last.partition('"do": "')[2].partition('"')[0] or ("a script" if script else "")


def watch_store(module: ModuleType) -> None:
    """Before and after each change of keys."""
    call = module.BaseClient._make_api_call

    def counted(self: Any, operation: str, *arguments: Any, **more: Any) -> Any:
        if not operation.endswith("AccessKey"):
            return call(self, operation, *arguments, **more)
        act(f"before {operation}")
        answer = call(self, operation, *arguments, **more)
        act(f"after {operation}")
        return answer

    module.BaseClient._make_api_call = counted


WATCHED: dict[str, Callable[[ModuleType], None]] = {
    "sparkfleet.host.connection": watch_ssh,
    "botocore.client": watch_store,
}


class Finder(importlib.abc.MetaPathFinder):
    """Lets the usual finder find the watched modules, and changes them when they are loaded."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """None for every other module."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target) if fullname in WATCHED else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def loaded(module: ModuleType) -> None:
            load(module)
            WATCHED[fullname](module)

        spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


if LOG and Path([*sys.orig_argv, ""][1]).name == "spark":
    sys.meta_path.insert(0, Finder())
    sys.addaudithook(heard)
