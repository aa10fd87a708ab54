"""The root oneshot when tools fail, files tear and it is killed: the rest goes on, and no count goes back or twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporters.gb10 import privileged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BTIME = 1784102400
SMART = '{"critical_warning":0,"temperature":310,"avail_spare":100,"percent_used":3,"unsafe_shutdowns":31}'
TOOLS = {
    "nvme": f"echo '{SMART}'",
    "modinfo": "echo 580.173.02",
    "fwupdmgr": """case $1 in get-updates) exit 2;; *) echo '{"Devices":[{"Name":"EC","Version":"3.5.8",
        "Flags":["updatable"],"DeviceId":"a","Serial":"secret"}]}';; esac""",
}
FAULTS = {
    "missing": (None, "No such file or directory"),
    "failing": ("exit 1" + "0", "exit code 10"),
    "rubbish": ("head -c 5000 /dev/urandom", "prints no JSON object"),
    "endless": ("exec yes", "prints without end"),
    "hanging": ("sleep 60 & exec sleep 60", "no answer within"),
    "silent but alive": ("exec >&-; exec sleep 60", "does not end"),
}


class Oneshot:
    """The oneshot on a folder, with tools of its own and one kernel message."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("state", "bin", "sys/class/nvme/nvme0", "proc/sys/kernel/random"):
            (folder / name).mkdir(parents=True)
        (folder / "proc/stat").write_text(f"btime {BTIME}\n")
        (folder / "kmsg").write_text("3,0,1000000,-;NVRM: Xid (PCI:000f:01:00): 79, GPU has fallen off the bus.\n")
        self.boot(1)
        for name, script in TOOLS.items():
            self.tool(name, script)

    def boot(self, number: int) -> None:
        """Be in this boot."""
        (self.folder / "proc/sys/kernel/random/boot_id").write_text(f"5140b007-{number}\n")

    def tool(self, name: str, script: str | None) -> None:
        """What a tool does; None: it is not installed."""
        path = self.folder / "bin" / name
        path.unlink(missing_ok=True)
        if script is not None:
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    @property
    def flags(self) -> list[str]:
        """Where all is."""
        names = {"kmsg": "kmsg", "procfs": "proc", "sysfs": "sys", "state": "state", "out": "out.json"}
        return [f"--{flag}={self.folder / name}" for flag, name in names.items()]

    def run(self, *more: str) -> dict[str, Any]:
        """One run in this process; what it handed over."""
        privileged.main([*self.flags, *more])
        return self.told()

    def told(self) -> dict[str, Any]:
        """What the exporter would read."""
        return dict(json.loads((self.folder / "out.json").read_text()))


@pytest.fixture
def oneshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Oneshot:
    """With tools that answer; whatever a fault leaves running is in its group and ended by the oneshot."""
    made = Oneshot(tmp_path)
    monkeypatch.setenv("PATH", f"{made.folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(privileged, "TOOL_S", 0.5)
    return made


def test_all_tools_are_handed_over(oneshot: Oneshot) -> None:
    """Health, firmware and the installed driver; readable by all, no serial number, no error."""
    told = oneshot.run()
    assert told["nvme"]["nvme0"]["unsafe_shutdowns"] == 31
    assert told["firmware"]["devices"] == [
        {"Name": "EC", "Version": "3.5.8", "Flags": ["updatable"], "DeviceId": "a"},
    ]
    assert (told["firmware"]["updates"], told["driver"], told["errors"]) == ([], {"installed": "580.173.02"}, {})
    assert (oneshot.folder / "out.json").stat().st_mode & 0o777 == 0o644
    assert "secret" not in (oneshot.folder / "out.json").read_text()


@pytest.mark.parametrize("name", ["nvme", "fwupdmgr"])
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_tool_that_fails_takes_only_its_part_along(name: str, fault: str, oneshot: Oneshot) -> None:
    """Its part is missing, its error is told, everything else is there, and nothing is left running."""
    script, why = FAULTS[fault]
    if script is None and name == "nvme":
        oneshot.tool("nvme", None)
        os.environ["PATH"] = str(oneshot.folder / "bin")  # this machine may have one; monkeypatch restores it
    oneshot.tool(name, script)
    part = {"nvme": "nvme", "fwupdmgr": "firmware"}[name]
    started = time.monotonic()
    told = oneshot.run()
    assert time.monotonic() - started < 5
    assert part not in told
    assert why in told["errors"][part]
    assert set(told["errors"]) == {part} or script is None
    assert told["kernel_log"]["xid"]["79"]["count"] == 1
    assert {"nvme", "firmware"} - {part} <= set(told) or script is None


def test_tools_are_asked_seldom_and_again_after_a_failure(oneshot: Oneshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is kept for its interval, a failure for ten minutes; a new boot asks anew."""
    now = 1000.0
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: now)
    oneshot.run()
    oneshot.tool("nvme", "exit 1")
    now += 599
    assert oneshot.run()["nvme"]["nvme0"]["percent_used"] == 3
    now += 1
    assert oneshot.run()["errors"] == {"nvme": "nvme: exit code 1"}
    oneshot.tool("nvme", TOOLS["nvme"])
    now += 599
    assert "nvme" in oneshot.run()["errors"]
    oneshot.boot(2)
    assert oneshot.run()["errors"] == {}


def test_an_orderly_end_is_clean_and_a_lack_of_it_is_not(oneshot: Oneshot) -> None:
    """Clean, then a power cut, then clean again: one unclean boot, at the time at which the next one began."""
    assert "boot" not in oneshot.run()
    expected: list[tuple[bool | None, int]] = [(None, 0), (True, 0), (False, 1), (True, 1)]
    for number, (previous_clean, unclean) in enumerate(expected):
        oneshot.boot(number)
        privileged.main([*oneshot.flags, "--boot=begin"])
        boot = oneshot.run()["boot"]
        assert (boot["previous_clean"], boot["unclean"]) == (previous_clean, unclean)
        assert boot["last_unclean"] == (BTIME if unclean else None)
        if number != 1:
            privileged.main([*oneshot.flags, "--boot=end"])


def test_a_new_boot_is_marked_late_rather_than_not(oneshot: Oneshot) -> None:
    """Should the marking at boot have failed, the next run does it; where boots were never marked it stays away."""
    privileged.main([*oneshot.flags, "--boot=begin"])
    oneshot.boot(2)
    assert oneshot.run()["boot"]["unclean"] == 1


def test_a_restart_of_the_marker_is_no_boot(oneshot: Oneshot) -> None:
    """Stopping and starting it within one boot leaves the boot unfinished: a power cut then is unclean."""
    for action in ("begin", "end", "begin"):
        privileged.main([*oneshot.flags, f"--boot={action}"])
    oneshot.boot(2)
    privileged.main([*oneshot.flags, "--boot=begin"])
    assert oneshot.run()["boot"]["previous_clean"] is False


@pytest.mark.parametrize("torn", ["", "{", "\0" * 500, "[]", '{"kernel_log": 5, "unclean": "x"}'])
def test_torn_files_start_afresh_and_say_so(torn: str, oneshot: Oneshot) -> None:
    """Whatever a power cut leaves: the run goes on, names the file, and the next run is whole again."""
    oneshot.run()
    (oneshot.folder / "state/state.json").write_text(torn)
    told = oneshot.run()
    assert "started afresh" in told["errors"]["state"]
    assert told["kernel_log"]["xid"]["79"]["count"] == 1
    (oneshot.folder / "state/boot.json").write_text(torn)
    privileged.main([*oneshot.flags, "--boot=begin"])
    told = oneshot.run()
    assert (told["boot"]["previous_clean"], told["boot"]["unclean"], told["errors"]) == (None, 0, {})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda part: st.dictionaries(st.sampled_from(["kernel_log", "tools", "xid", "place", "tail", "next"]), part),
    )
)
def test_any_state_is_survived(oneshot: Oneshot, state: object) -> None:
    """No JSON in the state file is a crash, and the log is read all the same."""
    (oneshot.folder / "state/state.json").write_text(json.dumps(state))
    assert "kernel_log" in oneshot.run()


def crash_points(flags: list[str]) -> Iterator[int]:
    """Run, ending at the first, second, … call that changes a file, as a power cut would, until a run gets through."""
    script = (
        "import os, sys, runpy\n"
        f"left = int(sys.argv[1]); sys.argv[1:] = {flags!r}\n"
        "def cut(name, real=None):\n"
        "    real = getattr(os, name)\n"
        "    def call(*a, **k):\n"
        "        global left\n"
        "        left -= 1\n"
        "        if left < 0: os._exit(9)\n"
        "        return real(*a, **k)\n"
        "    setattr(os, name, call)\n"
        "for name in ('fsync', 'replace', 'fchmod'): cut(name)\n"
        f"runpy.run_path({privileged.__file__!r}, run_name='__main__')\n"
    )
    for number in range(100):
        done = subprocess.run([sys.executable, "-I", "-S", "-c", script, str(number)], check=False)
        yield number
        if done.returncode == 0:
            return
        assert done.returncode == 9
    raise AssertionError("it never got through")


def test_a_power_cut_at_any_moment_counts_nothing_twice(oneshot: Oneshot) -> None:
    """Cut at each step of writing: what is told stands, what is kept can be read, and every XID is counted once."""
    seen = 0
    for _ in crash_points(oneshot.flags):
        out = oneshot.folder / "out.json"
        told = oneshot.told()["kernel_log"]["xid"]["79"]["count"] if out.exists() else 0
        assert told in (seen, 1)
        seen = told
    assert oneshot.run()["errors"] == {}
    assert oneshot.told()["kernel_log"]["xid"]["79"]["count"] == 1


def test_a_power_cut_while_a_boot_is_marked_keeps_the_count(oneshot: Oneshot) -> None:
    """The boot before was unclean: once, however often its successor is cut off while saying so."""
    privileged.main([*oneshot.flags, "--boot=begin"])
    oneshot.boot(2)
    for _ in crash_points([*oneshot.flags, "--boot=begin"]):
        pass
    assert oneshot.run()["boot"] == {"previous_clean": False, "unclean": 1, "last_unclean": BTIME}


def test_kill_9_at_random_moments_loses_nothing(oneshot: Oneshot) -> None:
    """Twenty kills while XIDs come: each is counted once."""
    chance, log = random.Random(4), oneshot.folder / "kmsg"  # noqa: S311  no secret
    for number in range(1, 21):
        with log.open("a") as file:
            file.write(f"3,{number},{number}000000,-;NVRM: Xid (PCI:000f:01:00): 79, again\n")
        child = subprocess.Popen([sys.executable, "-I", "-S", privileged.__file__, *oneshot.flags])
        time.sleep(chance.uniform(0, 0.05))  # the moment is the point: somewhere in its 25 ms
        child.send_signal(signal.SIGKILL)
        child.wait()
    told = oneshot.run()
    assert (told["kernel_log"]["xid"]["79"]["count"], told["kernel_log"]["lost_records"]) == (21, 0)
    assert "state" not in told["errors"]
