"""The compliance pack's own machinery around small checks: verdicts, waivers, and hosts that do not answer as asked.

The pack itself runs against live stand-ins in tests/e2e/test_verify.py.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import SparkfleetError, UnreachableError
from sparkfleet.host import verify as verifying
from sparkfleet.host.connection import Target
from sparkfleet.host.verdicts import Verdict, parse

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.model import Fleet

REASON = "the vendor's installer needs it"
WANTED: dict[str, Any] = {
    "roles": ["base"], "address": "127.0.0.1", "port": 1, "sysctls": {"a": "1", "b": "1"}, "users": {}, "units": [],
    "secret_files": [], "waivers": {}, "sysfs": "/sys", "tailnet": {}, "automation_user": "robot",
    "exporter_port": 2, "scraped_ports": [2],
    "containers": {}, "connectx": {"mtu": 9000, "ports": {}, "peers": {}}, "memory": {}, "procfs": "/proc",
}  # fmt: skip

# Checks that need no host: what they say is known beforehand. The conftest around them is the pack's own.
SMALL_PACK = '''
import pytest

@pytest.mark.control(id="BASE-01", severity="low", source="CIS 1.1")
def test_holds(machine, record_property):
    """This holds."""
    record_property("evidence", "seen on " + machine.name)

@pytest.mark.control(id="BASE-02", severity="high", source="CIS 1.1")
def test_fails(machine):
    """This fails."""
    assert machine.name == "", "it has the name " + machine.name

@pytest.mark.control(id="BASE-03", severity="medium", source="CIS 1.1")
def test_says_nothing(machine):
    """This cannot be said."""
    pytest.skip("nothing to look at")

@pytest.mark.control(id="BASE-04", severity="medium", source="CIS 1.1")
def test_setting(machine, sysctl):
    """This fails for one of two."""
    assert sysctl != "b", "b is wrong"

@pytest.mark.control(id="BASE-05", severity="high", source="CIS 1.1")
def test_breaks(machine):
    """This check breaks."""
    raise OSError("no such device")
'''


# Stands before ssh on the PATH: the host answers everything with nothing, or does what the test says.
SSH = """#!/bin/sh
case "$*" in *"-O exit"*) exit 0;; *python3*) cat >/dev/null; {answer};; esac
exit 255
"""
ANSWERS = """echo '["192.0.2.100", "192.0.2.1", {}]'; exit 0"""


@pytest.fixture
def small_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real conftest around small checks; one of them is of a role that the host does not have."""
    for path in verifying.PACK.glob("*.*"):
        shutil.copy(path, tmp_path / path.name)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "test_small.py").write_text(SMALL_PACK)
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor" / "test_other.py").write_text(
        'import pytest\n@pytest.mark.control(id="MONITOR-01", severity="low", source="sparkfleet")\n'
        'def test_x(machine):\n    """Unasked."""\n'
    )
    monkeypatch.setattr(verifying, "PACK", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ssh_answers(tmp_path, ANSWERS)
    return tmp_path


def ssh_answers(folder: Path, words: str) -> None:
    """From now on this is what the host does when the pack asks it."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "ssh").write_text(SSH.replace("{answer}", words))
    (folder / "bin" / "ssh").chmod(0o755)


def run_small(fleet: Fleet, deadline_s: float = 60, **waivers: Any) -> dict[str, Verdict]:
    """The verdicts of the small pack by id."""
    report = verifying.run_pack(Target.of(fleet, "spark-02"), WANTED | {"waivers": waivers}, deadline_s)
    return {v.id: v for v in parse(report)}


def waiver(*, expired: bool) -> dict[str, Any]:
    """A waiver as the request holds it."""
    return {"reason": REASON, "until": "2027-01-01", "expired": expired}


@pytest.mark.usefixtures("small_pack")
def test_the_report_says_what_each_check_found(fleet: Fleet) -> None:
    """Outcome, severity, source, requirement and evidence of each check come back; a broken check is a failed one."""
    found = run_small(fleet)
    first = replace(found["BASE-01"], seconds=0.0)
    assert first == Verdict(
        "spark-02", "BASE-01", "low", "This holds.", "passed", "seen on spark-02", source="CIS 1.1", seconds=0.0
    )
    assert (found["BASE-02"].outcome, found["BASE-02"].detail) == ("failed", "it has the name spark-02")
    assert (found["BASE-03"].outcome, found["BASE-03"].detail) == ("skipped", "nothing to look at")
    assert (found["BASE-04/a"].outcome, found["BASE-04/b"].outcome) == ("passed", "failed")
    assert (found["BASE-05"].outcome, found["BASE-05"].detail) == ("failed", "OSError: no such device")
    assert "MONITOR-01" not in found


@pytest.mark.usefixtures("small_pack")
def test_a_waiver_in_force_waives(fleet: Fleet) -> None:
    """A failure with a waiver in force is waived, with reason and day; the others still fail."""
    found = run_small(fleet, **{"BASE-02": waiver(expired=False), "BASE-04/b": waiver(expired=False)})
    assert found["BASE-02"].outcome == "waived"
    assert f"waived until 2027-01-01: {REASON}" in found["BASE-02"].detail
    assert found["BASE-04/b"].outcome == "waived"
    assert found["BASE-05"].outcome == "failed"


@pytest.mark.usefixtures("small_pack")
def test_one_waiver_covers_every_subject_of_its_check(fleet: Fleet) -> None:
    """BASE-04 waives each kernel setting, and says where it is no longer needed."""
    found = run_small(fleet, **{"BASE-04": waiver(expired=False)})
    assert found["BASE-04/b"].outcome == "waived"
    assert (found["BASE-04/a"].outcome, found["BASE-04/a"].detail) == ("passed", "its waiver is no longer needed")


@pytest.mark.usefixtures("small_pack")
def test_an_expired_waiver_fails_and_says_so(fleet: Fleet) -> None:
    """A failure whose waiver expired counts, and names the day."""
    found = run_small(fleet, **{"BASE-02": waiver(expired=True)})
    assert found["BASE-02"].outcome == "failed"
    assert "its waiver expired on 2027-01-01" in found["BASE-02"].detail


def test_a_host_that_falls_silent_in_the_middle_is_named_by_every_check(fleet: Fleet, small_pack: Path) -> None:
    """Once ssh fails, each check that asks the host says so, and the host is not waited for again."""
    (small_pack / "base" / "test_small.py").write_text(
        "import pytest\n"
        "@pytest.mark.control(id='BASE-01', severity='low', source='x')\n"
        "def test_one(machine):\n    machine.says('true')\n"
        "@pytest.mark.control(id='BASE-02', severity='low', source='x')\n"
        "def test_two(machine):\n    machine._host = None\n    machine.says('true')\n"
    )
    found = run_small(fleet)
    assert {v.outcome for v in found.values()} == {"failed"}
    assert all("spark-02 stopped answering: " in v.detail for v in found.values())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("echo no route >&2; exit 255", "no route"),
        ("echo sudo: a password is required >&2; exit 1", "sudo: a password is required"),
        ("echo '[1, 2'; exit 0", "not what was asked for"),
        ("""echo '["c", "a", {"sshd": 5}]'; exit 0""", "not what was asked for"),
        ("yes | tr -d '\\n'", "answers without end"),
    ],
    ids=["unreachable", "no sudo", "malformed", "strange", "endless"],
)
def test_a_host_that_cannot_be_asked_is_lost_and_not_failed(
    words: str, why: str, fleet: Fleet, small_pack: Path
) -> None:
    """Whatever it answers instead of answers, the run ends with the reason, no verdict, and little memory."""
    ssh_answers(small_pack, words)
    report = verifying.run_pack(Target.of(fleet, "spark-02"), WANTED, 60)
    assert report["verdicts"] == []
    assert why in report["lost"]


def test_a_host_that_hangs_ends_at_its_deadline(fleet: Fleet, small_pack: Path) -> None:
    """It is unreachable, and what was asked of it is left behind at once."""
    ssh_answers(small_pack, "exec sleep 60")
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="not done with its checks within 2 s"):
        run_small(fleet, deadline_s=2)
    assert time.monotonic() - began < 20


def test_a_pack_that_cannot_run_is_an_error(fleet: Fleet, small_pack: Path) -> None:
    """A check without an id stops the run with its name: no verdict is better than an incomplete list."""
    (small_pack / "base" / "test_more.py").write_text("def test_without_id(machine): pass\n")
    with pytest.raises(SparkfleetError, match="test_without_id"):
        run_small(fleet)
