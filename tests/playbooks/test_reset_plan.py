"""What was noted, and the host as it is → what a reset takes back; decided without touching anything."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.playbooks.machine import COLLECTIONS

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "ansible_collections.sparkfleet.host.plugins.module_utils.reset_plan"
UP = {"UnitFileState": "enabled", "ActiveState": "active"}
DOWN = {"UnitFileState": "disabled", "ActiveState": "inactive"}


@pytest.fixture
def deciding(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module."""
    monkeypatch.syspath_prepend(str(COLLECTIONS))
    return importlib.import_module(MODULE)


def test_units_stand_as_before(deciding: Any) -> None:
    """What we started is stopped, what we enabled is disabled; what ran before is started again."""
    was = {
        "ours.service": DOWN,
        "theirs.service": UP,
        "masked.service": {"UnitFileState": "", "ActiveState": "inactive"},
    }
    now = {"ours.service": UP, "theirs.service": DOWN, "masked.service": DOWN}

    steps = deciding.unit_steps(was, now, {})

    assert steps == {
        "stop": ["ours.service"],
        "disable": ["ours.service"],
        "enable": ["theirs.service"],
        "start": ["theirs.service"],
    }


def test_packages_go_come_back_or_stay_upgraded(deciding: Any) -> None:
    """Only what was not there goes; what had to go for us comes back; what is gone already is no work."""
    was = {"new": "", "gone-again": "", "removed": "1.0", "upgraded": "1.0", "same": "1.0"}

    steps = deciding.package_steps(was, {"new": "2", "upgraded": "1.1", "same": "1.0", "theirs": "3"})

    assert steps == {"purge": ["new"], "bring_back": ["removed"], "newer": ["upgraded"], "needed": {}}


def test_a_package_that_somebody_elses_needs_stays(deciding: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person installed theirs on top of ours: taking ours away would take theirs along."""
    needs = {"libjs": ["libjs", "ours", "theirs"], "ours": ["ours"]}

    def run(*command: str) -> tuple[int, str]:
        names = command[command.index("purge") + 1 :]
        return 0, "".join(f"Purg {gone} [1.0]\n" for name in names for gone in needs[name])

    monkeypatch.setattr(deciding, "run", run)

    found = deciding.removable({"purge": ["libjs", "ours"], "bring_back": [], "newer": [], "needed": {}})

    assert (found["purge"], found["needed"]) == (["ours"], {"libjs": ["theirs"]})


def test_accounts_that_a_package_made_are_known_by_its_scripts(
    deciding: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """New since the first install, and named in what the package runs; an account of another package's is not."""
    (tmp_path / "prometheus.postinst").write_text('adduser --quiet --system "prometheus"\n')
    monkeypatch.setattr(deciding, "INFO", f"{tmp_path}/")
    monkeypatch.setattr(deciding.facts, "accounts", lambda: ["prometheus", "prom", "theirs", "root"])

    assert deciding.made_by(["prometheus"], ["root"]) == ["prometheus"]
    assert deciding.made_by(["prometheus"], None) == []


@pytest.mark.parametrize(
    ("noted", "now", "leaves"),
    [("NeedsLogin", "Running", True), ("NeedsLogin", "NeedsLogin", False), ("Running", "Running", False)],
)
def test_only_a_tailnet_that_we_joined_is_left(
    deciding: Any, monkeypatch: pytest.MonkeyPatch, noted: str, now: str, leaves: bool
) -> None:
    """As the module `tailnet` notes it; a node that was somebody's before stays in theirs."""
    monkeypatch.setattr(deciding, "run", lambda *_: (0, f'{{\n  "BackendState": "{now}"\n}}'))

    assert deciding.tailnet_joined({"state": noted}) is leaves
    assert not deciding.tailnet_joined({})


def test_people_are_put_where_they_were(deciding: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An account that we made goes; one that was there keeps its own changes, less what we did to it."""

    def one(*groups: str, word: str = "!") -> dict[str, Any]:
        return {"uid": 1000, "home": "/home/x", "shell": "/bin/bash", "groups": list(groups), "hash": word}

    (tmp_path / "hash").write_text("$6$ours\n")
    monkeypatch.setattr(deciding, "CONSOLE_HASH", str(tmp_path / "hash"))
    now = {
        "new": one(),
        "gone": None,
        "was-in": one("video"),
        "came-in": one("sudo"),
        "console": one(word="$6$ours"),
        "own-word": one(word="$6$own"),
        "sparkfleet": one(),
    }
    monkeypatch.setattr(deciding.facts, "account", now.get)
    was = {
        "new": None,
        "gone": None,
        "was-in": one("sudo"),
        "came-in": one(),
        "console": one(word="$6$before"),
        "own-word": one(word="$6$before"),
        "sparkfleet": None,
    }

    assert deciding.people_steps(was, "sparkfleet") == {
        "remove": ["new"],
        "join_sudo": ["was-in"],
        "leave_sudo": ["came-in"],
        "password": ["console"],
    }
