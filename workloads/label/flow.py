"""The stages in their order → one run: each in a process of its own, with what it said, how long it took, how it ended.

    fetch → convert → preannotate → publish → [people] → collect → finetune → evaluate → promote → roi

Every stage does only what is missing, so that a run that was killed anywhere is started again, and goes on. The run
holds its project and its machine; a stage has both, too: nothing begins while an orphan of a killed run still works.

A project that begins with labelled sentences learns from them first, so that the very first items are shown marked:
fetch → convert → finetune → evaluate → promote → preannotate → publish → [people] → collect → roi
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workloads.errors import ConfigError, NodeError, printable
from workloads.label import beside, runs
from workloads.label import params as projects
from workloads.label import site as sites
from workloads.label.records import Promotion, PromotionEnd, Review
from workloads.label.runs import Error, State, Step
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads.label.params import Params
    from workloads.label.site import Site

STAGES = ("fetch", "convert", "preannotate", "publish", "collect", "finetune", "evaluate", "promote", "roi")
APART = ("compare",)  # stages of verbs of their own, which no run of all has
COMPARISON = ("compare", "evaluate", "promote")
# A campaign's turn: what people said is learned from before the next items are chosen.
TURN = ("fetch", "convert", "collect", "finetune", "evaluate", "promote", "preannotate", "publish", "roi")
BEFORE_LEARNING, LEARNING = ("fetch", "convert"), ("finetune", "evaluate", "promote")
REPORT_S = 120  # at most
PACKAGE = Path(__file__).resolve().parents[2]  # the folder that `workloads` lies in: the stages' Python finds it there


class Told(Protocol):
    """Who is told how far a run is."""

    def waits(self) -> None:
        """A recurring run has the machine, and is about to give way."""

    def begin(self, stage: str) -> None:
        """A stage begins."""

    def progress(self, stage: str, done: int, total: int | None, what: str) -> None:
        """So far is it."""

    def end(self, step: Step) -> None:
        """It ended, one way or the other."""


@dataclass(frozen=True)
class Place:
    """A project on a machine. `site_file`: None, where $SPARKFLEET_LABEL_SITE or the default says."""

    project: Path
    site_file: Path | None
    params: Params
    site: Site
    work: Workspace


def place(project: Path, site_file: Path | None) -> Place:
    """Read both files; raises ConfigError with every fault of the one that is wrong."""
    params, site = projects.load(project), sites.load(site_file)
    return Place(project, site_file, params, site, Workspace(site.workspace / params.name))


def between(first: str | None, last: str | None) -> tuple[str, ...]:
    """The stages from `first` to `last`, both included; raises ConfigError for unknown or reversed ones."""
    for name in filter(None, (first, last)):
        if name not in STAGES:
            raise ConfigError(f"{printable(name)}: no such stage", next_step=f"one of {', '.join(STAGES)}.")
    begin, end = STAGES.index(first or STAGES[0]), STAGES.index(last or STAGES[-1])
    if begin > end:
        raise ConfigError(f"{first} comes after {last}", next_step="name them in their order.")
    return STAGES[begin : end + 1]


def ordered(stages: tuple[str, ...], *, learns_first: bool) -> tuple[str, ...]:
    """Pure: the order in which they run. Who begins with labelled sentences wants the first items marked already."""
    if not learns_first:
        return stages
    early = [name for name in stages if name in LEARNING]
    at = next((n for n, name in enumerate(stages) if name not in BEFORE_LEARNING), len(stages))
    return (*stages[:at], *early, *(name for name in stages[at:] if name not in LEARNING))


def learns_first(at: Place) -> bool:
    """Whether there is a first model to make before anything is shown: seeds, no reviews, and nothing ever served."""
    if at.params.finetune.seeds is None or at.work.read(Review, "reviews.jsonl"):
        return False
    return not any(each.end is PromotionEnd.SERVING for each in at.work.read(Promotion, "promotions.jsonl"))


def run(
    at: Place, stages: tuple[str, ...], told: Told, *, afresh: bool = False, alone: bool = False
) -> runs.Run:  # fmt: skip
    """Do the stages one after the other, until one fails; what happened is in run.json, also while it happens.

    Raises LockedError while another run has the project; with `alone`, while one is at any project on this machine;
    without it a recurring run is waited for. A stage that fails is no exception here: see `failed`.
    """
    with held(at, "run", told.waits, alone=alone) as locks:
        record = runs.begin(at.work, at.params.name, _now(), afresh=afresh)
        for name in ordered(stages, learns_first=learns_first(at)):
            told.begin(name)
            begun = Step(stage=name, state=State.RUNNING, began_at=_now())
            runs.write(at.work, record.stepped(begun))
            clock = time.monotonic()
            ended = _stage(at, record.id, name, locks, told)
            record = record.stepped(begun.model_copy(update={**ended, "seconds": round(time.monotonic() - clock, 3)}))
            runs.write(at.work, record)
            told.end(record.steps[-1])
            if record.failed:
                break
        if record.failed is None or runs.over(record.failed):
            record = record.ended(_now())
            runs.write(at.work, record)
    return record


@contextmanager
def held(
    at: Place, what: str, waits: Callable[[], None] = lambda: None, *, alone: bool = False
) -> Iterator[tuple[int, ...]]:  # fmt: skip
    """Hold the project, and then the machine, by these descriptors; raises LockedError as `run` says."""
    with at.work.locked(what) as project, beside.held(at.site.workspace, alone=alone, waits=waits) as machine:
        yield project, machine


def report(at: Place, run_id: str, module: str = "workloads.label.report", file: str = runs.REPORT) -> Path | None:
    """Make a page of the run; None when that fails, which no run fails for: the log says why."""
    with log(at.work, run_id, "report").open("ab") as sink:
        words = command(at, module, run_id)
        try:
            done = subprocess.run(words, stdout=sink, stderr=sink, env=environment(), timeout=REPORT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            sink.write(f"{error}\n".encode())
            return None
    return at.work.path(runs.FOLDER, run_id, file) if done.returncode == 0 else None


def failure(step: Step) -> NodeError:
    """A failed step as the error that `spark-node` ends with."""
    told = step.error or Error(what="it failed")
    error = NodeError(f"{step.stage}: {told.what}", usually=told.usually, next_step=told.next)
    error.exit_code = step.exit_code
    return error


def log(work: Workspace, run: str, stage: str) -> Path:
    """What a stage's libraries said."""
    return work.path(runs.FOLDER, run, f"{stage}.log")


def command(at: Place, *words: str) -> list[str]:
    """A module of ours in the environment of the stages, on this project: words are its name and its arguments."""
    where = ["--site", str(at.site_file)] if at.site_file else []
    return [str(at.site.python), "-m", *words, "--project", str(at.project), *where]


def environment() -> dict[str, str]:
    """So that the stages' Python finds this very package."""
    return {**os.environ, "PYTHONPATH": str(PACKAGE)}


def _stage(at: Place, run_id: str, name: str, locks: tuple[int, ...], told: Told) -> dict[str, Any]:
    """Run one to its end; returns what its Step says of that. Never leaves a process of it behind."""
    file = log(at.work, run_id, name)
    handed = [word for lock in locks for word in ("--lock", str(lock))]
    words = command(at, "workloads.label.stage", name, "--run", run_id, *handed)
    last: dict[str, Any] = {}
    with file.open("ab") as sink, _started(words, sink.fileno(), locks) as process:
        for line in process.stdout or ():
            last = _read(line) or last
            if "done" in last:
                told.progress(name, last["done"], last["total"], last["what"])
    if process.returncode == 0 and "report" in last:
        return {"state": State.DONE, "told": last["report"]}
    error = last["error"] if "error" in last else _silent_end(process.returncode, file)
    code = process.returncode if process.returncode > 0 else NodeError.exit_code
    return {"state": State.FAILED, "error": Error.model_validate(error), "exit_code": code}


@contextmanager
def _started(words: list[str], sink: int, locks: tuple[int, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """A process group of its own: our end, however it comes, closes its standard input; its end ends its workers."""
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink,
        env=environment(), pass_fds=locks, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # nobody waited for it yet: the number is still its own
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):
            pipe.close()


def _read(line: bytes) -> dict[str, Any]:
    """One line of a stage; empty for one that a kill has cut."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _silent_end(code: int, file: Path) -> dict[str, str]:
    """A stage that could not say what it died of."""
    if code < 0:
        return {
            "what": f"it was ended by {signal.Signals(-code).name}",
            "usually": "the machine ran out of memory, or somebody ended it",
            "next": "run the same command again: it goes on where it stopped.",
        }
    return {"what": f"it ended with status {code} and said nothing", "usually": "", "next": f"see {file}."}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
