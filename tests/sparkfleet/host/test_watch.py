"""A real run with real processes → nothing of it is left when its owner is killed, and nobody else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import watch
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[3]
DEADLINE_S = 20.0

# What `apply` does around ansible-runner: a folder and an identity for the run, children that carry the identity.
OWNER = """\
import os, subprocess, sys, time
from sparkfleet.host import apply, watch
with apply._run_folder() as (folder, run):
    marked = {**os.environ, watch.VARIABLE: run}
    # one child, and one in a session of its own, as ssh's multiplexing master is
    a = subprocess.Popen(["sleep", "600"], env=marked)
    b = subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True)
    (folder / "inventory.json").write_text("{}")
    print(folder, run, a.pid, b.pid, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(600)
    if sys.argv[1] == "fail":
        raise RuntimeError("a fault of ours")
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of another run."""
    process = subprocess.Popen(["sleep", "600"], env={**os.environ, watch.VARIABLE: "0" * 32})
    yield process
    process.kill()
    process.wait()


class Run:
    """An owner process with its run, as it told of them."""

    def __init__(self, manner: str) -> None:
        self.owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, manner],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.owner.stdout is not None
        folder, self.identity, *pids = self.owner.stdout.readline().split()
        self.folder, self.members = Path(folder), [int(pid) for pid in pids]
        self.owner.stdout.close()

    def gone(self) -> bool:
        """Whether nothing of the run is left."""
        return not self.folder.exists() and not any(map(alive, self.members)) and not watch.members(self.identity)


def test_a_killed_owner_leaves_no_process_and_no_folder(bystander: subprocess.Popen[bytes]) -> None:
    """After kill -9 of the owner every process of its run is killed and its folder removed; another run goes on."""
    run = Run("wait")
    assert sorted(watch.members(run.identity)) == sorted(run.members)

    run.owner.send_signal(signal.SIGKILL)
    run.owner.wait()

    until(run.gone, lambda: f"left: {watch.members(run.identity)}, folder {run.folder.exists()}")
    assert bystander.poll() is None


@pytest.mark.parametrize(("manner", "code"), [("end", 0), ("fail", 1)])
def test_an_owner_that_ends_takes_its_run_with_it(manner: str, code: int) -> None:
    """Whether it ends well or by a fault: when it is gone, so is all of its run."""
    run = Run(manner)

    assert run.owner.wait(timeout=DEADLINE_S) == code
    assert run.gone()


def test_signals_of_the_terminal_do_not_end_the_watcher() -> None:
    """A Ctrl-C reaches the whole terminal: the watcher ignores it and cleans up when its owner ends."""
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-IS", str(watch.__file__), "f" * 32, str(folder)]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ignored() -> bool:
        row = next(r for r in Path(f"/proc/{watcher.pid}/status").read_text().splitlines() if r.startswith("SigIgn"))
        return all(int(row.split()[1], 16) & 1 << (number - 1) for number in signals)  # nohup ignores one

    until(ignored, "a watcher that ignores signals")

    for number in signals:
        watcher.send_signal(number)
    watcher.communicate(timeout=DEADLINE_S)

    assert watcher.returncode == 0
    assert not folder.exists()


def test_a_sweep_of_nothing_kills_nothing() -> None:
    """An identity that no process carries: zero."""
    assert watch.sweep("a" * 32) == 0
