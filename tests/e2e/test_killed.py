"""`pulumi up` killed in the middle of an apply → nothing goes on, nothing is half-written, the next run converges."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.under_test import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

MARKER = "var/lib/sparkfleet/marker.json"
LIMIT = "etc/systemd/journald.conf.d/50-sparkfleet.conf"


def processes_of_runs() -> list[str]:
    """The command lines of everything that carries the identity of an apply."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if b"\0SPARKFLEET_RUN=" in b"\0" + (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it ended
                continue
    return found


def state_of(converged: FleetUnderTest, host: str) -> dict[str, bytes]:
    """Everything under /etc and sparkfleet's own folder, temporary files included."""
    tree = converged.tree(host)
    roots = [tree / "etc", tree / "var/lib/sparkfleet"]
    files = (f for root in roots for f in root.rglob("*") if f.is_file() and not f.is_symlink())
    return {str(f.relative_to(tree)): f.read_bytes() for f in files}


def changed(converged: FleetUnderTest, host: str, within_s: float) -> set[str]:
    """The files whose state is another one after so many seconds."""
    before = state_of(converged, host)
    time.sleep(within_s)
    after = state_of(converged, host)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def slow_change(described: dict[str, Any]) -> None:
    """What takes two roles a while: the kill falls before their end."""
    described["sparkfleet:base"]["journal_max_use"] = "3G"
    described["sparkfleet:exporter"]["interval_s"] = 2.0


@pytest.fixture
def restored(converged: FleetUnderTest) -> Iterator[FleetUnderTest]:
    """The fleet as described before, also where the test fails: others use it, too."""
    good = converged.description.read_text()
    yield converged
    converged.description.write_text(good)
    restored = converged.pulumi("up", "--yes", "--skip-preview")
    if restored.code != 0:
        converged.pulumi("cancel", "--yes")
        restored = converged.pulumi("up", "--yes", "--skip-preview")
    assert restored.code == 0, restored.text


def test_a_killed_up_leaves_no_worker_and_the_next_converges(restored: FleetUnderTest) -> None:
    """Kill -9 in the middle of apply: no process goes on, files are old or new, cancel and up bring all to the end."""
    converged, host = restored, "spark-02"
    converged.described(slow_change)
    old = (converged.tree(host) / LIMIT).read_text()
    new = old.replace("2G", "3G")
    assert old != new
    up = converged.up_in_background()
    try:
        until(
            lambda: json.loads((converged.tree(host) / MARKER).read_bytes())["roles"]["base"] == "pending",
            "an apply under way",
            within_s=60,
            every_s=0.02,
        )
        os.kill(up.pid, signal.SIGKILL)
    finally:
        up.kill()
        up.wait()
    until(lambda: not processes_of_runs(), "the end of every process of the run", within_s=10)
    # What a host was executing ends with its own step, which may take a while.
    until(lambda: not changed(converged, host, within_s=5), "a host on which nothing changes any more", within_s=60)
    assert (converged.tree(host) / LIMIT).read_text() in {old, new}
    assert [name for name in state_of(converged, host) if "/.sparkfleet-" in name] == []

    interrupted = {change["key"]: change["reason"] for change in converged.changes(host)[host]}
    assert interrupted["role:base"] == "an earlier apply was interrupted"
    locked = converged.pulumi("up", "--yes", "--skip-preview")
    if locked.code != 0:  # the killed run holds the state's lock
        assert "pulumi cancel" in locked.text
        cancelled = converged.pulumi("cancel", "--yes")
        assert cancelled.code == 0, cancelled.text
        again = converged.pulumi("up", "--yes", "--skip-preview")
        assert again.code == 0, again.text
    assert (converged.tree(host) / LIMIT).read_text() == new
    assert converged.changes() == {name: [] for name in converged.hosts}
