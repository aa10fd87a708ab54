"""A renewal that is killed, finds the disk full or the authority away leaves the pair before it working."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host.identity import Certificate
from tests.sparkfleet.identity.step_ca import DUE_S

if TYPE_CHECKING:
    from tests.sparkfleet.identity.step_ca import Host, StepCa

KILL = "os.kill(os.getpid(), 9)"
POINTS = {
    "before it is asked": "import http.client as h, os\nh.HTTPSConnection.request = lambda *_, **__: KILL",
    "while it is written": "import os\nos.fsync = lambda _: KILL",
    "before the rename": "import os, pathlib\npathlib.Path.replace = lambda *_: KILL",
    "after the rename": "import os, pathlib\nold = pathlib.Path.replace\n"
    "pathlib.Path.replace = lambda *words: (old(*words), KILL)",
}


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_a_kill_at_any_point_leaves_a_pair_that_works(enrolled: Host, point: str) -> None:
    """Servers take what is in force, and the next look goes on as if nothing had been."""
    killed = enrolled.at("renew", DUE_S, point.replace("KILL", KILL))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert enrolled.lets_in() == ""
    assert enrolled.run("state").stdout == "valid\n"
    assert enrolled.at("renew", DUE_S).returncode == 0
    assert enrolled.lets_in() == ""
    assert not list(enrolled.folder.glob(".host.crt*"))


def test_a_full_disk_changes_nothing(enrolled: Host) -> None:
    """What cannot be written is told; the certificate stays, and is renewed when there is room."""
    before = enrolled.files()
    full = enrolled.at("renew", DUE_S, "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))")
    assert (full.returncode, "could not be written" in full.stderr) == (1, True), full.stderr
    assert enrolled.files() == before
    assert enrolled.lets_in() == ""
    assert enrolled.at("renew", DUE_S).returncode == 0
    assert enrolled.files() != before


def test_an_authority_that_is_away_is_asked_again(enrolled: Host, ca: StepCa) -> None:
    """Nothing changes but the journal; the dates are told, and the first look after it is back renews."""
    before = enrolled.files()
    ca.stop()
    try:
        (enrolled.root / "var/lib/sparkfleet/metrics/identity.prom").unlink()
        done = enrolled.at("renew", DUE_S)
    finally:
        ca.start()
    assert (done.returncode, "no authority answered" in done.stderr) == (1, True), done.stderr
    assert enrolled.files() == before
    assert "renewal_timestamp" in enrolled.metrics()
    assert enrolled.run("state").stdout == "valid\n"
    assert enrolled.at("renew", DUE_S).returncode == 0
    assert enrolled.files() != before


def test_the_second_address_is_asked_when_the_first_is_silent(enrolled: Host, ca: StepCa) -> None:
    """An authority has several addresses, as its host has."""
    before = enrolled.files()
    enrolled.prepare(["127.0.0.1:1", f"127.0.0.1:{ca.port}"])
    assert enrolled.at("renew", DUE_S).returncode == 0
    assert enrolled.files() != before


@given(st.integers(0, 1 << 33), st.integers(1, 1 << 27))
def test_due_from_two_thirds_of_the_life_on(start: int, life: int) -> None:
    """After its beginning and before its end, whatever the certificate: a third of its life is left to be late in."""
    found = Certificate("CN=spark-01", start, start + life)
    assert start < found.renewal_s < found.end_s
    assert abs(found.end_s - found.renewal_s - life / 3) < 1e-3
