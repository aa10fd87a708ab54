"""A lab with the label loop's services → projects whose candidates are tiny, promoted as a run does it; and a load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import calypso, record
from lab.calypso import repository as buckets
from tests.waiting import until
from workloads.label.promoting import turn
from workloads.label.promoting.repository import Repository
from workloads.label.promoting.server import Server
from workloads.label.records import Promotion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.workloads.label.labs import LabelLab
    from workloads.label.promoting.turn import Step
    from workloads.label.site import Site

CHECKOUT = Path(__file__).resolve().parents[3]
RATE, DEADLINE_S = 200, 10.0
TOKENS = [2, 4, 5, 6, 7, 8, 203, 3]  # the one but last is the tokenizer's last word
TOML = """name = "{name}"
labels = ["A", "B"]
[source]
folder = "documents"
[finetune]
seeds = "seeds.jsonl"
[gate]
latency_ms = {latency_ms}
"""


@dataclass
class Project:
    """A project with nothing but candidates."""

    name: str
    folder: Path
    lab: LabelLab
    latency_ms: float = 150.0
    runs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write its two files."""
        self.folder.mkdir(parents=True)
        (self.folder / "project.toml").write_text(TOML.format(name=self.name, latency_ms=self.latency_ms))
        texts = [f"word{n} word{n + 7} unheard word{n * 3}" for n in range(1, 9)]
        (self.folder / "seeds.jsonl").write_text("".join(json.dumps({"text": t, "spans": []}) + "\n" for t in texts))

    @property
    def site(self) -> Site:
        """Where the services are."""
        return self.lab.site

    @property
    def repository(self) -> Repository:
        """Its part of the bucket."""
        assert self.site.models
        return Repository(self.site.models, self.name)

    @property
    def server(self) -> Server:
        """Calypso, as who promotes speaks to it."""
        assert self.site.calypso
        return Server(self.site.calypso)

    @property
    def serving(self) -> int | None:
        """The version in config.pbtxt."""
        return self.repository.serving()

    def candidate(self, fault: str = "", run: str = "") -> str:
        """A new one, as `evaluate` leaves it; its run."""
        run = run or f"20261121T00{len(self.runs):04}Z"
        self.runs.append(run)
        told = {
            "folder": str(self.lab.work(self.name).path("candidates", run)), "run": run, "project": self.name,
            "labels": ["A", "B"], "serving": f"{self.name}:{self.serving}" if self.serving else None, "fault": fault,
        }  # fmt: skip
        words = [self.site.python, CHECKOUT / "tests/workloads/label/tiny.py"]
        subprocess.run(words, input=json.dumps(told), text=True, check=True, env=environment(), timeout=120)
        return run

    def start(self) -> subprocess.Popen[str]:
        """The stage, as a run starts it."""
        words = self._words("workloads.label.stage", "promote")
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip

    def _words(self, *words: str) -> list[str]:
        where = ["--project", str(self.folder), "--site", str(self.lab.site_file)]
        return [str(self.site.python), "-m", *words, *where]

    def promote(self) -> dict[str, Any]:
        """Run it to its end: its report, or its error with the exit code."""
        return ended(self.start())

    def ends(self) -> list[tuple[str, str]]:
        """Run and end of each promotion, in the project's own list."""
        return [(each.run, each.end) for each in self.lab.work(self.name).read(Promotion, "promotions.jsonl")]

    def reaches(self, step: Step, run: str, within_s: float = 60) -> None:
        """Return when the turn of `run` is at this step."""

        def reached() -> bool:
            return [(each.run, each.step) for each in turn.history(self.repository)[:1]] == [(run, step)]

        until(reached, step, within_s)

    def served_by(self, version: int, within_s: float = 60) -> None:
        """Return when Calypso serves it."""
        until(lambda: self.server.serves(self.name, version), f"version {version}", within_s)


def ended(process: subprocess.Popen[str], within_s: float = 240) -> dict[str, Any]:
    """What a stage said last."""
    out, err = process.communicate(timeout=within_s)
    last: dict[str, Any] = json.loads(out.splitlines()[-1]) if out else {"error": {"what": err}}
    return last["report"] if "report" in last else {**last.get("error", {}), "code": process.returncode}


class Load:
    """RATE requests a second to a model, by a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def phase(self, name: str) -> None:
        """What is sent from now on belongs to it."""
        assert self._process.stdin
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Stop; what it saw."""
        told: dict[str, Any] = json.loads(self._process.communicate(timeout=60)[0])
        return told


@contextmanager
def load(project: Project, tokens: Sequence[int] = TOKENS) -> Iterator[Load]:
    """Load for as long as the block lasts; ends it at its end at the latest."""
    address = f"{project.lab.instance.gateway}:{calypso.GRPC_PORT}"
    words = [address, project.name, str(RATE), str(DEADLINE_S), json.dumps(list(tokens))]
    process = subprocess.Popen(
        [sys.executable, CHECKOUT / "tests/workloads/label/load.py", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    running = Load(process)
    try:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def restart(lab: LabelLab) -> float:
    """Kill Calypso and start it again; the seconds until it answered."""
    kill(lab, calypso.LABEL)
    began = time.monotonic()
    calypso.up(lab.instance, calypso.ensure(), repository=buckets.ensure(lab.instance))
    return time.monotonic() - began


def kill(lab: LabelLab, label: str) -> None:
    """End a service as a power cut does."""
    pid = record.alive(lab.instance, label)
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: record.alive(lab.instance, label) is None, f"the end of {label}")


def table(told: dict[str, Any]) -> str:
    """A load's phases, a line each."""
    lines = [f"\n{'phase':44} {'sent':>6} {'failed':>6} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7}  versions"]
    for name, each in told["phases"].items():
        figures = (
            f"{each['sent']:6} {each['failed']:6} {each['p50_ms']:7.1f} {each['p99_ms']:7.1f} {each['max_ms']:7.1f}"
        )
        lines.append(f"{name:44} {figures}  {' '.join(f'{v}:{n}' for v, n in sorted(each['versions'].items()))}")
    return "\n".join([*lines, f"{told['rate']:.0f} requests a second for {told['seconds']:.0f} s"])


def environment() -> dict[str, str]:
    """So that the label environment finds this package."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}
