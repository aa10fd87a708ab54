"""ansible-runner for real, against ports on which nobody answers → what `apply` says, and what it leaves behind."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from typing import TYPE_CHECKING

import pytest

from sparkfleet.errors import ApplyError
from sparkfleet.host import apply as edge
from sparkfleet.host.apply import Work, apply
from sparkfleet.host.desired import desired
from sparkfleet.host.plan import plan

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet


@pytest.fixture
def lonely(fleet: Fleet, tmp_path: Path) -> Fleet:
    """The fleet with a controller of its own and hosts on a port that is taken and does not listen."""
    controller = fleet.controller.model_copy(update={"folder": tmp_path, "connect_timeout_s": 2})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    hosts = {name: host.model_copy(update={"port": port}) for name, host in fleet.hosts.items()}
    return fleet.model_copy(update={"controller": controller, "hosts": hosts})


def work(fleet: Fleet, read: Sources) -> dict[str, Work]:
    """A time zone to set on every host, at an address of this machine."""
    found = {}
    for name in fleet.hosts:
        wanted = desired(fleet, name, read)
        observed = {key: value for key, value in wanted.settings.items() if key != "file:/etc/timezone"}
        found[name] = Work(wanted, plan(observed, wanted), "127.0.0.1")
    return found


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let the child find this text where it looks for sparkfleet."""
    (folder / "sparkfleet").mkdir()
    (folder / "sparkfleet" / "__init__.py").write_text(text)
    monkeypatch.chdir(folder)


def test_a_host_that_cannot_be_reached_says_so_itself(
    lonely: Fleet, project_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each host has its own failure with ssh's words, the run raises nothing, and its folder is gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    outcomes = apply(lonely, work(lonely, project_sources))

    assert set(outcomes) == {"spark-01", "spark-02"}
    assert all("Connection refused" in outcome.failure for outcome in outcomes.values())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("spark-")]


def test_a_run_that_cannot_be_made_is_an_error(
    lonely: Fleet, project_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the child ends and no host has said why, its own last words are the error."""
    stand_in(tmp_path, monkeypatch, "raise ImportError('half a checkout')\n")

    with pytest.raises(ApplyError, match="half a checkout"):
        apply(lonely, work(lonely, project_sources))


def test_the_run_gets_only_what_it_needs_of_the_environment(
    lonely: Fleet, project_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passphrases and cloud keys of the controller's shell stay outside: ansible-runner writes its environment down."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "do-not-show")
    monkeypatch.setenv("ANSIBLE_BECOME_PASS", "do-not-show")
    stand_in(
        tmp_path,
        monkeypatch,
        "import json, os, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps(dict(os.environ)))\nraise SystemExit(7)\n",
    )

    with pytest.raises(ApplyError, match="code 7"):
        apply(lonely, work(lonely, project_sources))
    seen = json.loads((tmp_path / "seen").read_text())

    assert "do-not-show" not in seen.values()
    assert {name for name in seen if not name.startswith(("ANSIBLE_", "SPARKFLEET_", "LC_"))} <= {
        *edge.ENVIRONMENT,
        "PYTHONPATH",
    }
    assert seen["ANSIBLE_CONFIG"] != os.environ.get("ANSIBLE_CONFIG")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"event": "runner_on_ok", "event_data": {"host": "h", "task": "t", "res": {"changed": True}}},
            {"kind": "changed", "host": "h", "task": "t", "message": ""},
        ),
        ({"event": "runner_on_ok", "event_data": {"host": "h", "task": "t", "res": {"changed": False}}}, None),
        (
            {
                "event": "runner_on_failed",
                "event_data": {"host": "h", "task": "t", "res": {"msg": "non-zero", "stderr": "no space left\n"}},
            },
            {"kind": "failed", "host": "h", "task": "t", "message": "non-zero: no space left"},
        ),
        ({"event": "runner_on_failed", "event_data": {"host": "h", "ignore_errors": True, "res": {"msg": "x"}}}, None),
        ({"event": "playbook_on_start"}, None),
    ],
)
def test_an_event_becomes_what_a_person_wants_to_know(event: dict[str, object], said: dict[str, str] | None) -> None:
    """Changed and failed tasks are told with host and words; all else is silence."""
    assert edge._said(event) == said


def test_tasks_without_work_on_any_host_are_skipped() -> None:
    """One host with a package keeps the package task for the run; what nobody needs is left out."""
    idle: dict[str, object] = {name: [] for names in edge.IDLE.values() for name in names}
    busy = {**idle, "sparkfleet_packages": ["nftables"], "sparkfleet_users_gone": ["bob"]}

    assert edge.idle_tags({"spark-01": idle}) == "packages,people,secrets,stop,tailnet,merged"
    assert edge.idle_tags({"spark-01": idle, "spark-02": busy}) == "secrets,stop,tailnet,merged"
