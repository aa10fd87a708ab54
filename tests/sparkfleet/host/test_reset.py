"""`spark reset` before it touches a host: what it refuses, what it shows, and the program that it sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkfleet.errors import ResetError
from sparkfleet.host import reset
from sparkfleet.host.connection import Target
from tests.playbooks.machine import ELSEWHERE

TOLD: dict[str, Any] = {
    "paths": ["/etc/x"],
    "merged": {},
    "ours": [],
    "units": {"stop": ["a.service"], "disable": [], "enable": [], "start": []},
    "packages": {"purge": ["jq"], "bring_back": [], "newer": [], "needed": {}},
    "people": {"remove": ["alice"]},
    "system_accounts": ["prometheus"],
    "sysctls": {},
    "tailnet": False,
    "data": [],
    "kept": ["/var/lib/sparkfleet/datasets"],
}


def target(*addresses: str) -> Target:
    """A host at these addresses."""
    return Target("spark-01", addresses, 22, "sparkfleet", Path("/k"), Path("/known_hosts"), 1.0)


def test_the_way_in_is_proven_outside_of_the_tailnet() -> None:
    """A reset takes the host out of its tailnet: what is proven over it would be proven for nothing."""
    assert reset.beside_the_tailnet(target("100.64.0.1", "192.0.2.1")).addresses == ("192.0.2.1",)
    with pytest.raises(ResetError, match=r"(?s)tailnet.*nothing was touched.*hosts\.spark-01\.addresses"):
        reset.beside_the_tailnet(target("100.64.0.1", "fd7a:115c:a1e0::1"))


def test_the_tailnet_is_asked_last() -> None:
    """The reset that was killed may be taking the host out of it right now; the order is otherwise as described."""
    found = reset.tailnet_last(target("100.64.0.1", "192.0.2.2", "192.0.2.1"))
    assert found.addresses == ("192.0.2.2", "192.0.2.1", "100.64.0.1")


def test_the_plan_names_what_goes_and_what_stays() -> None:
    """Only kinds of which there is something."""
    plan = reset.read_plan("spark-01", {"applied": True, "plan": TOLD})

    assert plan.takes_back == {
        "packages removed": ["jq"],
        "units stopped": ["a.service"],
        "files and folders as before": ["/etc/x"],
        "accounts removed": ["alice", "prometheus"],
    }
    assert plan.keeps == ["/var/lib/sparkfleet/datasets"]


def test_a_host_that_was_never_converged_has_nothing_to_take_back() -> None:
    """That is no fault."""
    assert not reset.read_plan("spark-01", {"applied": False}).applied


@pytest.mark.parametrize("strange", [{}, {"units": []}, {"packages": {"purge": ["x"]}}])
def test_an_answer_that_is_none_is_refused(strange: dict[str, Any]) -> None:
    """A host can tell anything."""
    with pytest.raises(ResetError, match="does not give"):
        reset.read_plan("spark-01", {"applied": True, "plan": strange if strange == {} else {**TOLD, **strange}})


def test_what_a_host_tells_is_printable() -> None:
    """A path on the host cannot steer the terminal of whoever reads the plan."""
    plan = reset.read_plan("spark-01", {"applied": True, "plan": {**TOLD, "paths": ["/etc/\x1b[2J"]}})

    assert "\x1b" not in json.dumps(plan.as_dict(), ensure_ascii=False)


@pytest.mark.parametrize("applied", [False, True])
def test_the_program_that_is_sent_runs_as_it_is(tmp_path: Path, applied: bool) -> None:
    """All its parts in one text, in an isolated Python, on a host that has nothing of ours; it finds the journal."""
    if applied:
        (tmp_path / "sparkfleet/before").mkdir(parents=True)
        record = {"kind": "path", "name": str(tmp_path / "x"), "before": {"kind": "absent"}}
        (tmp_path / "sparkfleet/before/journal").write_text(json.dumps(record) + "\n")
        (tmp_path / "x").write_text("ours")
    if subprocess.run([*ELSEWHERE, str(tmp_path), "true"], check=False).returncode:
        pytest.skip("no mount namespaces here: the program would look into this machine's own /var/lib")

    done = subprocess.run(
        [*ELSEWHERE, str(tmp_path), sys.executable, "-IS", "-c", reset.LOADER],
        input=f"{reset.program()}\n{json.dumps({'do': 'plan', 'user': 'root'})}\n",
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    answer = json.loads(done.stdout)

    assert answer["applied"] is applied
    if applied:
        assert answer["plan"]["paths"] == [str(tmp_path / "x")]
