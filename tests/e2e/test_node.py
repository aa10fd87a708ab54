"""`spark node` on a host: a verb lives there as a unit, whatever becomes of the connection, the person or the host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.mutation import at_console
from tests.e2e.under_test import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST = "spark-02"
MOST_HEARD = 15
PROGRAM = "/usr/local/bin/spark-node"
TIMER, SYNC = "sparkfleet-datasets.timer", "sparkfleet-datasets.service"
# In its place for a while: a verb that goes on until it is told to end.
LOOP = "while [ $i -lt 200 ] && [ ! -e /run/enough ]; do i=$((i+1)); echo line $i; sleep 0.1; done"
COUNTS = f"#!/bin/sh\\ni=0\\n{LOOP}\\nexit 5\\n"


@contextmanager
def counting(fleet: FleetUnderTest) -> Iterator[None]:
    """`spark-node` counts inside the block, in which nothing else calls it."""
    quiet = f"systemctl stop {TIMER}; while systemctl is-active --quiet {SYNC}; do sleep 0.1; done"
    at_console(fleet, HOST, f"{quiet}; cp -p {PROGRAM} {PROGRAM}.kept; printf '%b' '{COUNTS}' > {PROGRAM}")
    try:
        yield
    finally:
        at_console(fleet, HOST, f"mv {PROGRAM}.kept {PROGRAM}; rm -f /run/enough; systemctl start {TIMER}")


def started(fleet: FleetUnderTest) -> subprocess.Popen[str]:
    """`spark node HOST count`, which is followed; returns when its first lines came."""
    command = [str(Path(sys.executable).with_name("spark")), "node", HOST, "count"]
    process = subprocess.Popen(
        command, cwd=fleet.instance.root, env=fleet.words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == "line 1\n"
    return process


def rest(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it says until it ends. Not `communicate`, which forgets what a readline before it has read ahead."""
    assert process.stdout
    assert process.stderr
    with process:
        return process.stdout.read(), process.stderr.read()


def jobs(fleet: FleetUnderTest) -> list[str]:
    """What `spark node --list` says, a line a job."""
    return fleet.spark("node", "--list", HOST).text.splitlines()


def test_streams_and_exit_code_come_back(converged: FleetUnderTest) -> None:
    """JSON of a verb can be read by a machine; click's own code for a wrong word is handed on."""
    status = converged.spark("node", HOST, "datasets", "status", "--json")
    wrong = converged.spark("node", HOST, "no-such-verb")

    assert json.loads(status.text)["folder"] == "/var/lib/sparkfleet/datasets"
    assert (status.code, wrong.code) == (0, 2), wrong.text


def test_a_lost_connection_loses_no_line(converged: FleetUnderTest) -> None:
    """Every session of the controller's is ended on the host, in the middle; the following goes on by itself."""
    with counting(converged):
        process = started(converged)
        at_console(converged, HOST, "pkill -KILL -u sparkfleet sshd || pkill -KILL -f '^sshd: sparkfleet'")
        said = max((converged.tree(HOST) / "var/lib/sparkfleet/jobs").iterdir()) / "out"
        until(lambda: said.read_text().count("line") > MOST_HEARD, "lines that nobody hears", within_s=30)
        at_console(converged, HOST, "touch /run/enough")
        out, err = rest(process)

    lines = out.splitlines()
    assert process.returncode == 5, err
    assert "the job goes on there" in err
    assert lines == [f"line {number}" for number in range(2, len(lines) + 2)]
    assert len(lines) >= MOST_HEARD


def test_an_interrupted_following_leaves_the_job_and_says_how_to_hear_the_rest(converged: FleetUnderTest) -> None:
    """Ctrl-C ends the following alone; `--follow` tells all of it, and a job that is stopped leaves no failed unit."""
    with counting(converged):
        process = started(converged)
        process.send_signal(signal.SIGINT)
        _, err = rest(process)
        job = jobs(converged)[-1].split()[0]
        assert (process.returncode, "running" in jobs(converged)[-1]) == (130, True), err
        assert f"spark node --follow {job} {HOST}" in err
        converged.spark("node", "--stop", job, HOST)
        heard = converged.spark("node", "--follow", job, HOST)

    assert heard.code == 128 + signal.SIGTERM
    assert heard.text.splitlines()[0] == "line 1"
    at_console(converged, HOST, 'test -z "$(systemctl list-units --state=failed --no-legend)"')


def test_an_end_that_nobody_noted_is_not_taken_for_the_verbs_own(converged: FleetUnderTest) -> None:
    """As after a power cut: the unit is gone, and its end was never written."""
    with counting(converged):
        job = converged.spark("node", "--detach", HOST, "count").text.strip()
        folder = converged.tree(HOST) / "var/lib/sparkfleet/jobs" / job
        until(lambda: (folder / "out").stat().st_size > 0, "the job's first line", within_s=20)
        at_console(converged, HOST, f"systemctl kill --kill-whom=all --signal=KILL spark-node@{job}; true")
        until((folder / "ended").exists, "its end", within_s=20)
        (folder / "ended").unlink()  # as if the power had gone before it was noted
        lost = converged.spark("node", "--follow", job, HOST)

    assert lost.code == 1
    assert "nobody saw its end" in lost.text


def test_an_environment_that_is_damaged_shows_as_drift(converged: FleetUnderTest) -> None:
    """Somebody removes part of it: the plan names it."""
    place = "/opt/sparkfleet/node/made-from"
    at_console(converged, HOST, f"mv {place} {place}.kept")
    try:
        found = converged.changes(HOST)[HOST]
    finally:
        at_console(converged, HOST, f"mv {place}.kept {place}")

    assert "environment:node" in [change["key"] for change in found]
