"""Words on the command line → what is printed, where, and the code that `spark` ends with."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from sparkfleet import cli, errors
from sparkfleet.errors import SparkfleetError
from sparkfleet.host import sources

if TYPE_CHECKING:
    from collections.abc import Callable

    Spark = Callable[..., tuple[int, str, str]]

PROJECT = Path(__file__).resolve().parents[2]
STACK = """\
config:
  sparkfleet:fleet: office
  sparkfleet:controller: {folder: kept}
  sparkfleet:hosts:
    spark-01: {addresses: [192.0.2.1], roles: [exporter, monitor]}
    spark-02: {addresses: [192.0.2.2], roles: [exporter]}
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61 sparkfleet"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with one stack and an adopted controller."""
    (tmp_path / "Pulumi.office.yaml").write_text(STACK)
    (tmp_path / "kept/keys").mkdir(parents=True)
    (tmp_path / "kept/keys/automation.pub").write_text(KEY)
    return tmp_path


@pytest.fixture
def spark(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spark:
    """Run the program in that folder: exit code, stdout, stderr."""
    whole = cli.Project
    monkeypatch.setattr(cli, "Project", lambda stack: whole(stack, project))
    monkeypatch.setenv("PULUMI_STACK", "office")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spark", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, said.out, said.err

    return run


def kinds() -> dict[str, type[SparkfleetError]]:
    """Every error of ours, by name."""
    classes = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in classes if issubclass(kind, SparkfleetError)}


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    """The docstring of errors.py names each kind with the code it ends with, and no other."""
    drawn = dict(re.findall(r"^\W*([A-Z]\w+Error) +(\d+) ", errors.__doc__ or "", re.MULTILINE))

    assert drawn == {name: str(kind.exit_code) for name, kind in kinds().items()}


def test_every_kind_of_end_has_a_code_of_its_own() -> None:
    """A script can tell them apart."""
    codes = [kind.exit_code for kind in kinds().values()]
    codes += [errors.OK, errors.USAGE, errors.DIFFERS, errors.INTERRUPTED]

    assert len(codes) == len(set(codes))


def test_the_readme_has_the_same_codes() -> None:
    """Whoever writes a script reads them there."""
    [sentence] = re.findall(r"Exit codes: (.+?)\.\n\n", (PROJECT / "README.md").read_text(), re.DOTALL)
    codes = {kind.exit_code for kind in kinds().values()}

    assert {int(code) for code in re.findall(r"\b(\d+) ", sentence)} == {
        *codes,
        errors.OK,
        errors.USAGE,
        errors.DIFFERS,
        errors.INTERRUPTED,
        errors.UNREAD,
    }


@pytest.mark.parametrize("name", sorted(kinds()))
def test_an_error_is_printed_in_its_three_parts_and_ends_with_its_code(
    name: str, spark: Spark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happened, what it usually means, what to do next: on stderr, without a traceback."""
    kind = kinds()[name]
    parts = {"usually": "age.", "next_step": "rest."}
    raised = kind(["hosts: missing"]) if kind is errors.ConfigError else kind("It broke.", **parts)

    def fail(_: object) -> NoReturn:
        raise raised

    monkeypatch.setattr(sources, "read", fail)

    code, out, err = spark("inventory", "--list")

    assert (code, out) == (kind.exit_code, "")
    if kind is not errors.ConfigError:
        assert err == "spark: It broke.\n  This usually means: age.\n  Next: rest.\n"


def test_a_faulty_description_ends_with_its_code_and_every_fault(project: Path, spark: Spark) -> None:
    """All faults are on stderr, each on a line of its own."""
    faulty = STACK.replace("roles: [exporter]", "rolls: [exporter]") + "  sparkfleet:x: 1\n"
    (project / "Pulumi.office.yaml").write_text(faulty)

    code, out, err = spark("plan")

    assert (code, out) == (3, "")
    assert "2 faults in Pulumi.office.yaml; nothing was touched:" in err
    assert "    hosts.spark-02.rolls: unknown key; did you mean roles?\n" in err


@pytest.mark.parametrize("words", [["plan", "spark-09"], ["inventory", "--host", "spark-09"], ["verify", "spark-09"]])
def test_an_unknown_host_names_the_known_ones(words: list[str], spark: Spark) -> None:
    """A mistyped name touches nothing."""
    code, _, err = spark(*words)

    assert code == 3
    assert "spark-09: no such host (hosts here: spark-01, spark-02)" in err


@pytest.mark.parametrize(("words", "role"), [(["datasets", "sync"], "node"), (["label", "run"], "label")])
def test_a_verb_of_a_role_that_a_host_has_not_is_refused_before_it_is_asked(
    words: list[str], role: str, spark: Spark
) -> None:
    """It names the line of the description, not a file that is not on the host."""
    code, _, err = spark("node", "spark-01", *words)

    assert code == 3
    assert f"hosts.spark-01.roles: {role} is not among them" in err


def test_each_silent_host_is_told(project: Path, spark: Spark) -> None:
    """`plan --json` has an answer for every host, and ends with the code of what was in the way."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    stack = STACK.replace("[192.0.2.1]", f"[127.0.0.1], port: {port}").replace(
        "[192.0.2.2]", f"[127.0.0.2], port: {port}"
    )
    (project / "Pulumi.office.yaml").write_text(stack)

    code, out, _ = spark("plan", "--json")

    assert code == 4
    assert {name: found["exit_code"] for name, found in json.loads(out).items()} == {"spark-01": 4, "spark-02": 4}


def test_a_host_that_is_named_twice_is_asked_once(project: Path) -> None:
    """Names are a set with an order."""
    assert cli.Project("office", project).hosts(("spark-02", "spark-01", "spark-02")) == ["spark-02", "spark-01"]


def test_an_interruption_ends_with_the_shells_code(spark: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 130 and says that the same command goes on."""

    def interrupt(_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "read", interrupt)

    code, _, err = spark("inventory", "--list")

    assert code == 130
    assert "run the same command again" in err


@pytest.mark.parametrize("words", [["audit"], ["survey", "cost", "--print-usage"]], ids=["by rich", "by click"])
def test_a_reader_that_leaves_is_neither_a_fault_nor_a_success(
    words: list[str], spark: Spark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`spark verify | head` must not end with 0: nobody saw what failed."""
    read, write = os.pipe()
    os.close(read)
    with contextlib.suppress(BrokenPipeError), os.fdopen(write, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        code, _, err = spark(*words)

    assert (code, err) == (errors.UNREAD, "")


def test_a_fault_of_the_program_is_not_dressed_up(spark: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is nobody's error but ours keeps its traceback."""

    def fail(_: object) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(sources, "read", fail)

    with pytest.raises(ZeroDivisionError):
        spark("inventory", "--list")


def test_every_verb_has_help_with_an_example(spark: Spark) -> None:
    """`spark VERB --help` shows how it is called."""
    for verb in cli.VERBS:
        code, out, _ = spark(verb, "--help")
        assert code == 0
        assert re.search(rf"Example:\s+(spark {verb}|ansible-playbook)", out), verb


def test_the_verbs_are_the_modules_that_there_are() -> None:
    """None is promised that does not exist, none hidden."""
    modules = {file.stem for file in (PROJECT / "sparkfleet/commands").glob("*.py")} - {"__init__"}

    assert set(cli.VERBS) == modules


def test_an_unknown_verb_is_a_matter_of_usage(spark: Spark) -> None:
    """Code 2, as every program that parses options has it."""
    code, _, err = spark("plna")

    assert code == errors.USAGE
    assert "plna" in err


def test_help_imports_nothing_heavy() -> None:
    """`spark --help` answers at once: no library that reads descriptions, speaks SSH or makes resources is loaded."""
    script = (
        "import sys\nfrom sparkfleet import cli\nsys.argv = ['spark', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    print('LOADED', *sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ}, cwd=PROJECT
    )
    shown, _, loaded = done.stdout.partition("LOADED ")

    heavy = {"pydantic", "yaml", "ansible", "ansible_runner", "pulumi", "fabric", "paramiko", "jinja2", "rich", "boto3"}
    assert not heavy & set(loaded.split())
    assert all(verb in shown for verb in cli.VERBS)


class TestInventory:
    """Ansible's dynamic-inventory protocol."""

    def test_a_list_has_groups_and_every_hosts_variables(self, spark: Spark, project: Path) -> None:
        """One JSON document on stdout; each host's tree lies rendered beside the controller's keys."""
        code, out, _ = spark("inventory", "--list")
        document = json.loads(out)

        assert code == 0
        assert document["monitor"]["hosts"] == ["spark-01"]
        assert set(document["_meta"]["hostvars"]) == {"spark-01", "spark-02"}
        for name, told in document["_meta"]["hostvars"].items():
            assert told["sparkfleet_tree_file"] == str(project / f"kept/rendered/{name}.json")
            assert Path(told["sparkfleet_tree_file"]).exists()

    def test_one_host_is_its_variables_alone(self, spark: Spark) -> None:
        """The same that --list says of it."""
        _, everything, _ = spark("inventory", "--list")
        _, one, _ = spark("inventory", "--host", "spark-02")

        assert json.loads(one) == json.loads(everything)["_meta"]["hostvars"]["spark-02"]

    @pytest.mark.parametrize("words", [[], ["--list", "--host", "spark-01"]])
    def test_both_or_neither_is_a_matter_of_usage(self, words: list[str], spark: Spark) -> None:
        """The protocol has two questions; one of them is asked."""
        code, out, err = spark("inventory", *words)

        assert (code, out) == (errors.USAGE, "")
        assert "give either --list or --host HOST" in err

    def test_without_an_automation_key_it_says_to_adopt(self, spark: Spark, project: Path) -> None:
        """Before the first adoption nothing can be rendered."""
        (project / "kept/keys/automation.pub").unlink()

        code, _, err = spark("inventory", "--list")

        assert code == 1
        assert "Next: run `spark adopt spark-01`." in err
