"""What `spark rotate` and `spark retire` refuse or leave out before any host is asked; people's open connections."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from sparkfleet import cli
from sparkfleet.host.connection import Target
from sparkfleet.rotate import multiplexed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spark = Callable[..., tuple[int, str]]

STACK = """\
config:
  sparkfleet:fleet: office
  sparkfleet:controller: {folder: kept}
  sparkfleet:hosts:
    spark-01: {addresses: [192.0.2.1]}
    spark-02: {addresses: [192.0.2.2]}
"""
AWS = "  sparkfleet:cloud: {provider: aws, aws: {region: eu-central-1, bucket_prefix: office}}\n"


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spark:
    """Run the program on a described fleet: exit code, and all that it said."""
    whole = cli.Project
    monkeypatch.setattr(cli, "Project", lambda stack: whole(stack, tmp_path))
    monkeypatch.setenv("PULUMI_STACK", "office")

    def run(*words: str, more: str = "") -> tuple[int, str]:
        (tmp_path / "Pulumi.office.yaml").write_text(STACK + more)
        monkeypatch.setattr(sys, "argv", ["spark", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, said.out + said.err

    return run


@pytest.mark.parametrize(
    ("words", "more", "reason"),
    [
        (("s3",), "", "cloud.provider is none"),
        (("s3",), AWS, "certificates of IAM Roles Anywhere"),
        (("tailnet", "spark-01"), "", "no host has the role tailnet"),
    ],
)
def test_a_kind_that_the_fleet_does_not_have_is_said_and_no_fault(
    spark: Spark, words: tuple[str, ...], more: str, reason: str
) -> None:
    """Nothing to rotate: the reason, and exit code 0."""
    code, said = spark("rotate", *words, more=more)
    assert code == 0
    assert "nothing to rotate" in said
    assert reason in said


def test_the_one_key_of_all_hosts_is_not_rotated_on_some(spark: Spark) -> None:
    """HOSTS with ssh, and leaving out every host, are refused as wrong words; an unknown host by its name."""
    for words, expected in (
        (("ssh", "spark-01"), "one key for all hosts"),
        (("ssh", "--skip", "spark-01", "--skip", "spark-02"), "every host is left out"),
    ):
        code, said = spark("rotate", *words)
        assert (code, expected in said) == (2, True), said
    code, said = spark("rotate", "s3", "spark-09")
    assert code == 3
    assert "spark-09: no such host" in said


def test_nothing_is_rotated_without_an_automation_key(spark: Spark) -> None:
    """A fleet whose hosts were never adopted is told to begin with that."""
    code, said = spark("rotate", "ssh")
    assert code == 12
    assert "spark adopt spark-01" in said


def test_retiring_wants_the_name_twice(spark: Spark, tmp_path: Path) -> None:
    """Without --yes, or with another name, nothing is touched and nothing recorded."""
    for words in ((), ("--yes", "spark-02")):
        code, said = spark("retire", "spark-01", *words)
        assert code == 12
        assert "--yes spark-01" in said
    assert not (tmp_path / "kept").exists()


def test_connections_that_people_keep_open_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ssh's own configuration keeps a master connection, `ssh -O exit` is sent to its socket; else nothing."""
    place, calls = tmp_path / "master", tmp_path / "calls"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nopen({str(calls)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        f"print('controlpath {place}' if sys.argv[-1] == '192.0.2.1' else 'controlpath none')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    target = Target("spark-01", ("192.0.2.1",), 22, "sparkfleet", tmp_path / "key", tmp_path / "known_hosts", 1.0)
    assert multiplexed.close(target) == []
    with socket.socket(socket.AF_UNIX) as master:
        master.bind(str(place))
        assert multiplexed.close(target) == [str(place)]
    told = [json.loads(line) for line in calls.read_text().splitlines()]
    assert told[-1] == ["-S", str(place), "-O", "exit", "-p", "22", "-l", "sparkfleet", "192.0.2.1"]
