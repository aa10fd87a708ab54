"""`spark tailnet policy` → what it prints, where, and the code that it ends with."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import cli, errors
from sparkfleet.host import tailnet_policy
from tests.sparkfleet.host.tailnet_fleet import fleet, raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spark = Callable[..., tuple[int, str, str]]


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spark:
    """Run the program for a description: exit code, stdout, stderr."""
    whole = cli.Project
    monkeypatch.setattr(cli, "Project", lambda stack: whole(stack, tmp_path))
    monkeypatch.setenv("PULUMI_STACK", "office")

    def run(described: dict[str, Any], *words: str) -> tuple[int, str, str]:
        config = {f"sparkfleet:{section}": value for section, value in described.items()}
        (tmp_path / "Pulumi.office.yaml").write_text(yaml.safe_dump({"config": config}))
        monkeypatch.setattr(sys, "argv", ["spark", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def test_the_file_goes_to_stdout_and_what_is_left_out_to_stderr(spark: Spark) -> None:
    """So that `> policy.hujson` holds the policy and nothing else, without asking any host or any secret."""
    code, out, err = spark(raw(), "tailnet", "policy")

    assert (code, out) == (errors.OK, tailnet_policy.hujson(fleet()))
    assert err.startswith("left out: spark-05 has no address in the tailnet yet")


def test_json_is_the_same_policy(spark: Spark) -> None:
    """For an interface that takes no comments."""
    code, out, _ = spark(raw(), "tailnet", "policy", "--json")

    assert (code, json.loads(out)) == (errors.OK, tailnet_policy.document(fleet()))


def test_without_a_host_in_a_tailnet_there_is_no_policy(spark: Spark) -> None:
    """An empty one would close the tailnet to everybody."""
    described = {"fleet": "office", "hosts": {"spark-01": {"addresses": ["192.0.2.1"]}}}
    code, out, err = spark(described, "tailnet", "policy")

    assert (code, out) == (3, "")
    assert "none has the role tailnet" in err


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        ({"operators": ["tag:spark"]}, "operators: tag:spark is the hosts' own tag"),
        ({"users": ["*"]}, "users[0]: expected"),
        ({"users": ["autogroup:internet"]}, "users[0]: expected"),
        ({"reviewers": ["group:everybody"]}, "reviewers[0]: expected"),
        ({"operators": []}, "operators"),
        ({"nodes": {"calypso": "192.0.2.9"}}, "nodes.calypso: expected an address in the tailnet, found 192.0.2.9"),
        ({"nodes": {"calypso": "100.64.0.2"}}, "nodes.calypso: 100.64.0.2 is also an address of spark-02"),
    ],
    ids=["hosts as operators", "everybody", "the internet", "a group of nobody", "no operator", "LAN", "a host"],
)
def test_who_may_not_be_described_is_refused(policy: dict[str, Any], fault: str, spark: Spark) -> None:
    """A wildcard, a host among the people, a group that this file would have to define: told with their place."""
    described = raw()
    described["tailnet"]["policy"] |= policy
    code, out, err = spark(described, "tailnet", "policy")

    assert (code, out) == (3, "")
    assert f"tailnet.policy.{fault}" in err
