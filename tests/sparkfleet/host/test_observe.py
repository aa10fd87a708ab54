"""The probe as `observe` sends it → settings, facts and the address; its failure is an error with what to do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import SparkfleetError
from sparkfleet.host.connection import Result
from sparkfleet.host.observe import COMMAND, PLACEHOLDER, PROBE, ask

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Here:
    """A session to this machine: the command's Python runs here, without sudo."""

    command: tuple[str, ...] = (sys.executable, "-IS", "-")
    address: str = "192.0.2.1"
    name: str = "spark-01"
    asked: list[str] = field(default_factory=list)

    @property
    def target(self) -> Any:
        """Whose session it is."""
        return self

    def run(self, command: str, *, stdin: str = "") -> Result:
        """Run the script."""
        self.asked.append(command)
        done = subprocess.run(self.command, input=stdin, capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)


def test_one_question_brings_settings_facts_and_address(tmp_path: Path) -> None:
    """Everything in one round trip, in the keys that were asked for."""
    (tmp_path / "x").write_text("text\n")
    session: Any = Here()

    observed = ask(session, {f"listing:{tmp_path}": "x", "file:/no/such": "wanted"})

    assert observed.settings == {f"listing:{tmp_path}": "x"}
    assert observed.facts["kernel"]
    assert (observed.address, session.asked) == ("192.0.2.1", [COMMAND])


def test_the_probe_runs_isolated_and_as_root() -> None:
    """Neither the user's environment nor site-packages of the host change what it does."""
    assert COMMAND == "sudo -n /usr/bin/python3 -IS -"


def test_the_script_has_its_one_place_for_the_question() -> None:
    """Otherwise a probe would be sent that asks for nothing."""
    assert PROBE.read_text().count(PLACEHOLDER) == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ("sh", "-c", "cat >/dev/null; echo 'sudo: a password is required' >&2; exit 1"),
            "sudo: a password is required",
        ),
        (("sh", "-c", "cat >/dev/null; exit 127"), "it said nothing"),
    ],
)
def test_a_probe_that_fails_is_an_error(command: tuple[str, ...], words: str) -> None:
    """Its last words are told, and that adopting again repairs sudo and Python; it is never an empty answer."""
    session: Any = Here(command)

    with pytest.raises(SparkfleetError) as caught:
        ask(session, {})

    assert caught.value.what == f"spark-01: the probe failed: {words}"
    assert "spark adopt spark-01" in caught.value.next_step
