"""The name of a stage → its work, in this process; what it says goes out as JSON lines on standard output.

    python -m workloads.label.stage convert --project examples/contracts --site label.json

    {"done": 3, "total": 40, "what": "contract-03.pdf"}     progress, as often as it helps
    {"report": {"new": 40, "seconds": 12.5}}                the last line, or
    {"error": {"what": …, "usually": …, "next": …}}         with the exit code of its kind

Whatever libraries print on their own goes to standard error. Started by a run it dies with that run: it reads the
run's end of its standard input, and takes its own workers along.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloads import errors
from workloads.label import flow, runs
from workloads.label.stages import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.label.stages import Report

TELL_EVERY_S = 0.1
SHARED = {"convert": "documents", "preannotate": "items"}  # with the machines that the site names
ALONE = "SPARKFLEET_LABEL_ALONE"  # set in images, which have no Ray and, to convert, no network
# Models lie where the machine's owner put them: a library that would rather download one fails at once.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Told:
    """Progress as lines, ten a second at most; the last of a count is never left out."""

    def __init__(self, say: Callable[[dict[str, Any]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._last = -TELL_EVERY_S
        self._lock = threading.Lock()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """From any thread."""
        with self._lock:
            now = self._clock()
            if now - self._last < TELL_EVERY_S and done != total:
                return
            self._last = now
            self._say({"done": done, "total": total, "what": errors.printable(what)})


@click.command()
@click.argument("name")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="The folder with project.toml.")
@click.option("--site", "site_file", type=click.Path(path_type=Path), default=None, help="Where the services are.")
@click.option("--run", "run", default="", help="What this run is called; otherwise a new name.")
@click.option("--lock", type=int, multiple=True, hidden=True, help="A descriptor by which the run holds something.")
def stage(name: str, project: Path, site_file: Path | None, run: str, lock: tuple[int, ...]) -> None:
    """Do the work of stage NAME alone; `spark-node label run` does all of them, in order."""
    say = _channel()
    for each in lock:
        os.set_inheritable(each, False)  # the project is free when this process is gone, whoever it started
    if lock:
        threading.Thread(target=_die_with_the_run, daemon=True).start()
    os.environ.update(OFFLINE)
    try:
        at = flow.place(project, site_file)
        work = _named(name, shared=at.site.ray is not None and ALONE not in os.environ)
        with nullcontext() if lock else flow.held(at, f"stage {name}"):
            run = run or runs.name(dt.datetime.now(dt.UTC))
            say({"report": _done(work, Context(at.params, at.site, at.work, run, Told(say)))})
    except errors.NodeError as error:
        say({"error": {"what": error.what, "usually": error.usually, "next": error.next_step}})
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001  (the edge of the process: the run tells it, the log has all of it)
        traceback.print_exc()
        say({"error": {"what": errors.printable(f"{type(error).__name__}: {error}"), "usually": "", "next": ""}})
        sys.exit(errors.NodeError.exit_code)


def _done(work: Callable[[Context], Report], context: Context) -> Report:
    """The work's report; raises NoRoomError where it found the disk full, wherever that was."""
    try:
        return work(context)
    except OSError as error:
        if error.errno not in errors.DISK_FULL:
            raise
        raise errors.NoRoomError(
            f"the disk is full: {errors.printable(str(error))}; what was done is kept",
            usually="texts, Parquet, models and copies of what is being read need more room than the archive itself",
            next_step="free space and run again: it goes on where it stopped.",
        ) from error


def _named(name: str, *, shared: bool = False) -> Callable[[Context], Report]:
    """What does the work of a stage; raises ConfigError or NodeError that says why there is none."""
    stages = (*flow.STAGES, *flow.APART)
    if name not in stages:
        known = ", ".join(stages)
        raise errors.ConfigError(f"{errors.printable(name)}: no such stage", next_step=f"one of {known}.")
    module = f"spreading.{SHARED[name]}" if shared and name in SHARED else f"stages.{name}"
    try:
        run: Callable[[Context], Report] = importlib.import_module(f"workloads.label.{module}").run
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("workloads."):
            raise errors.NodeError(f"the stage {name} is not there", usually="this version has none.") from error
        raise errors.ConfigError(
            f"{name}: Python has no {error.name}",
            usually="it runs in another environment than requirements/label.txt.",
            next_step="see `python` in the site file.",
        ) from error
    return run


def _channel() -> Callable[[dict[str, Any]], None]:
    """Standard output for us alone; what others print there goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def say(told: dict[str, Any]) -> None:
        out.write(json.dumps(told) + "\n")

    return say


def _die_with_the_run() -> None:
    """The run holds the other end of our standard input: when it is gone, however, so are we and all our workers."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    stage()
