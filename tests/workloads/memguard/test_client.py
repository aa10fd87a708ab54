"""A caller's request → one report of its own step and the unit's: the real unit part behind a systemctl of ours."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.workloads.memguard.conftest import Host

STARTS = '{python} -IS {guard} --config {config} --unit "$(echo "$3" | sed "s/.*@//; s/.service//")" >/dev/null'
SAYS = "echo '{words}' >&2; exit 1"


@pytest.fixture
def systemctl(host: Host, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let `systemctl start` do that; it lists no active unit."""
    program = host.root / "bin/systemctl"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def does(start: str) -> None:
        program.write_text(f'#!/bin/sh\nif [ "$2" = start ]; then {start}; fi\n')
        program.chmod(0o755)

    does(STARTS.format(python=sys.executable, guard=host.guard, config=host.root / "config.json"))
    return does


@pytest.mark.usefixtures("systemctl")
def test_the_callers_files_go_before_the_unit_acts(host: Host) -> None:
    """One report: fadvise by the caller, then what root did, and the figures from before both."""
    (host.root / "weights").write_bytes(bytes(1 << 20))

    done = host.run("--need", "40G", "--file", str(host.root / "weights"), "--json")

    report = json.loads(done.stdout)
    assert [step["step"] for step in report["steps"]] == ["fadvise on the named files", "drop_caches 1"]
    assert (done.returncode, report["steps"][0]["files"], host.switch("drop_caches")) == (4, 1, "1\n")


@pytest.mark.usefixtures("systemctl")
def test_a_command_takes_the_guards_place(host: Host) -> None:
    """After -- stands what is started when there is room, with its own exit code; else it is not started."""
    host.has(free_gib=60, available_gib=100, cache_gib=40)

    begun = host.run("--need", "40G", "--", "sh", "-c", "echo begun; exit 9")
    refused = host.run("--need", "400G", "--", "echo", "begun")

    assert (begun.returncode, begun.stdout.splitlines()[-1]) == (9, "begun")
    assert (refused.returncode, "begun" in refused.stdout) == (3, False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("Failed to start x: Interactive authentication required.", 7, "you may not start"),
        ("sudo: a password is required", 7, "memory.callers"),
        ("Job for x failed.", 1, "left no report"),
    ],
)
def test_a_unit_that_does_not_start_is_told(host: Host, systemctl: Any, words: str, code: int, said: str) -> None:
    """Whoever may not gets a code of their own, and what to ask for."""
    systemctl(SAYS.format(words=words))

    done = host.run("--need", "40G")

    assert done.returncode == code
    assert said in done.stderr


def test_an_older_report_is_not_taken_for_this_one(host: Host, systemctl: Any) -> None:
    """The unit did not run this time: what it wrote the last time says nothing."""
    host.run("--need", "40G")
    systemctl(":")

    assert host.run("--need", "40G").returncode == 1
