"""`spark upgrade` and `spark reboot` on hosts that do not answer → stopped at the first, remembered, resumed, told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sparkfleet.cli import Project, spark
from sparkfleet.errors import ConfigError, UpgradeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Verb = Callable[..., Result]

# Port 1 of our own loopback: refused at once.
STACK = """\
config:
  sparkfleet:fleet: office
  sparkfleet:controller: {folder: kept, connect_timeout_s: 1}
  sparkfleet:hosts:
    spark-01: {addresses: [127.0.0.1], port: 1}
    spark-02: {addresses: [127.0.0.2], port: 1}
    spark-03: {addresses: [127.0.0.3], port: 1}
"""


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verb:
    """Run a verb in a folder with that stack; errors of ours come back as exceptions."""
    (tmp_path / "Pulumi.office.yaml").write_text(STACK)
    monkeypatch.setattr("sparkfleet.cli.Project", lambda stack: Project(stack, tmp_path))
    return lambda *words: CliRunner().invoke(spark, ["--stack", "office", *words])


@pytest.mark.parametrize("kind", ["upgrade", "reboot"])
def test_the_first_silent_host_stops_it(verb: Verb, kind: str) -> None:
    """Its name and reason, who is untouched, and both ways to go on."""
    stopped = verb(kind).exception

    assert isinstance(stopped, UpgradeError)
    assert "spark-01 cannot be reached" in stopped.what
    assert "Untouched: spark-02, spark-03" in stopped.what
    assert f"`spark {kind} --resume --skip spark-01`" in stopped.next_step


def test_the_report_names_every_host(verb: Verb) -> None:
    """`--status` asks nobody, and is the last run's end."""
    verb("upgrade")
    told = json.loads(verb("upgrade", "--status", "--json").stdout)

    assert [host["state"] for host in told["hosts"]] == ["stopped here", "untouched", "untouched"]
    assert [ring["name"] for ring in told["rings"]] == ["canary", "wave", "rest"]


def test_a_host_is_left_out_by_its_owners_word(verb: Verb) -> None:
    """The run goes on behind it."""
    verb("upgrade")
    went_on = verb("upgrade", "--resume", "--skip", "spark-01").exception

    assert isinstance(went_on, UpgradeError)
    assert "stopped at spark-02" in went_on.what


def test_what_happened_stands_in_the_audit_log(verb: Verb, tmp_path: Path) -> None:
    """Also that nothing came of it."""
    verb("reboot", "spark-02")
    [record] = map(json.loads, (tmp_path / "kept/audit/office.jsonl").read_text().splitlines())

    assert (record["host"], record["kind"], record["outcome"]) == ("spark-02", "reboot", "failed")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--resume"], "there is no `spark upgrade` to go on with"),
        (["--status"], "there was no `spark upgrade`"),
    ],
)
def test_what_never_began_is_neither_resumed_nor_shown(verb: Verb, words: list[str], expected: str) -> None:
    """It says so instead of beginning one."""
    refused = verb("upgrade", *words).exception

    assert isinstance(refused, UpgradeError)
    assert expected in refused.what


@pytest.mark.parametrize(
    "words", [["--resume", "spark-01"], ["--resume", "--anew"], ["--skip", "spark-01", "spark-01"]]
)
def test_words_that_contradict_each_other_are_refused(verb: Verb, words: list[str]) -> None:
    """Before any host is asked."""
    assert verb("upgrade", *words).exit_code == 2


def test_an_unknown_host_is_refused(verb: Verb) -> None:
    """Also behind --skip: a typing error must not upgrade the host that was meant to be spared."""
    assert isinstance(verb("upgrade", "--skip", "spark-1").exception, ConfigError)
