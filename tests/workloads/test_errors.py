"""The ways in which spark-node can fail: one exit code each, and the README tells them; how its help reads."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from workloads import cli, errors

PROJECT = Path(__file__).resolve().parents[2]


def test_each_kind_has_a_code_of_its_own_and_the_readme_tells_it() -> None:
    """Whoever writes a timer or a script goes by them."""
    codes = [errors.NodeError.exit_code, *(kind.exit_code for kind in errors.NodeError.__subclasses__())]
    [sentence] = re.findall(r"`spark-node`: (.+?)\.\n\n", (PROJECT / "README.md").read_text(), re.DOTALL)

    assert len(set(codes)) == len(codes)
    told = {int(code) for code in re.findall(r"\b(\d+) ", sentence)}
    assert told == {*codes, errors.OK, errors.USAGE, errors.INTERRUPTED, errors.UNREAD}


@pytest.mark.parametrize("group", sorted(cli.GROUPS))
def test_help_tells_each_verb_in_a_whole_sentence(group: str) -> None:
    """On a terminal of 80 columns none is cut off."""
    told = CliRunner().invoke(cli.spark_node, [group, "--help"], terminal_width=80).output.partition("Commands:")[2]

    assert told.strip()
    assert "..." not in told


def test_a_wrong_word_is_answered_with_the_name_that_people_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the program lies: on a host it is an archive of another name."""
    monkeypatch.setattr(sys, "argv", ["/opt/sparkfleet/spark-node.pyz", "datasets", "snyc"])

    assert cli.main() == errors.USAGE
    assert capsys.readouterr().err.startswith("Usage: spark-node datasets [")
