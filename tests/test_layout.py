"""The checkout itself → what is written twice agrees, and what must not stand in a file does not."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[1]
MOST_LINES = 300  # more than a reader holds in the head at once
CODE = (
    "sparkfleet/",
    "exporters/",
    "workloads/",
    "examples/",
    "lab/",
    "bench/",
    "playbooks/",
    "bootstrap/",
    "__main__.py",
)

# Not told in README's tree: what lies on a host below templates/, and what tools want at the top.
UNDRAWN = ("templates/", ".")
# Recorded from real machines, compared with, or made by a tool: the project's own words stand elsewhere.
DATA = re.compile(
    r"^(tests/(captures|golden)/|requirements|docs/|LICENSE|.*/syscalls\.toml$|.*\.(sum|mod|png)$|.*/scenarios/)"
)


@cache
def tracked() -> list[str]:
    """Every file that git has, and every new one that it would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return sorted(name for name in set(done.stdout.splitlines()) if (PROJECT / name).is_file())


def modules(*places: str) -> list[str]:
    """The Python files of these places."""
    return [name for name in tracked() if name.endswith(".py") and name.startswith(places)]


def parsed(name: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((PROJECT / name).read_text())


def texts() -> dict[str, str]:
    """The files that people write, this one excepted: it has to name what it looks for."""
    own = {name: PROJECT / name for name in tracked() if not DATA.match(name) and name != "tests/test_layout.py"}
    return {name: file.read_text(errors="replace") for name, file in own.items()}


def drawn() -> list[str]:
    """The paths of the tree in README.md, folders with a slash at their end."""
    if not (PROJECT / "README.md").exists():
        pytest.skip("there is no README yet")
    section = (PROJECT / "README.md").read_text().partition("\n## The tree\n")[2]
    block = section.partition("```\n")[2].partition("```")[0]
    found: list[str] = []
    above: list[str] = []
    for line in block.splitlines():
        indent, word = len(line) - len(line.lstrip()), line.split()[0]
        above = [*above[: indent // 2], word.removesuffix("/")]
        found.append("/".join(above) + ("/" if word.endswith("/") else ""))
    return found


def test_everything_that_the_readme_draws_is_there() -> None:
    """A drawn tree drifts unless it is tested."""
    there = {*tracked(), *(f"{folder}/" for name in tracked() for folder in map(str, Path(name).parents))}

    assert [path for path in drawn() if path not in there] == []


def test_the_readme_draws_every_folder() -> None:
    """Each folder of the first two levels, but for templates, which are laid out as on a host."""
    parts = [name.split("/")[:-1] for name in tracked() if not name.startswith(UNDRAWN)]
    folders = {"/".join(part[:depth]) + "/" for part in parts for depth in (1, 2) if len(part) >= depth}

    assert folders - set(drawn()) == set()


@pytest.mark.parametrize("name", modules(*CODE))
def test_a_module_is_short_and_says_what_it_is(name: str) -> None:
    """At most 300 lines; its first line is a sentence."""
    lines = (PROJECT / name).read_text().count("\n")
    first = (ast.get_docstring(parsed(name)) or "").partition("\n")[0]

    assert lines <= MOST_LINES
    assert first.rstrip().endswith((".", ":", ",", "…")), f"{name}: {first!r}"


def test_every_test_states_its_fact() -> None:
    """Each test function has a docstring, and stands in a file that pytest collects."""
    without, astray = [], []
    for name in modules("tests/"):
        for node in ast.walk(parsed(name)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                without += [] if ast.get_docstring(node) else [f"{name}: {node.name}"]
                astray += [] if Path(name).name.startswith("test_") else [f"{name}: {node.name}"]

    assert (without, astray) == ([], [])


@pytest.mark.skipif(not (PROJECT / "playbooks/remediate").exists(), reason="nothing is remediated yet")
def test_every_alert_has_its_playbook() -> None:
    """An alert and what is done about it have one name."""
    files = [PROJECT / name for name in tracked() if re.match(r"exporters/.*/alerts\.yml$", name)]
    rules = [rule for f in files for group in yaml.safe_load(f.read_text())["groups"] for rule in group["rules"]]
    playbooks = {file.stem for file in (PROJECT / "playbooks/remediate").glob("*.yml")}

    assert {rule["alert"] for rule in rules if "alert" in rule} == playbooks


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("an architecture", r"x86_64|amd64|aarch64|arm64"),
        ("a registry's host", r"pypi\.org|pythonhosted\.org|docker\.io|ghcr\.io|quay\.io|nvcr\.io|proxy\.golang\.org"),
        ("somebody's own folder", r"(?<![\w.~])/(work|Users|root/\.cache)/\w"),
        ("a note to come back", r"\b(TODO|FIXME|XXX)\b"),
    ],
)
def test_what_ties_to_one_machine_stands_in_no_file(what: str, pattern: str) -> None:
    """Architectures are data, registries are the user's choice, paths are relative, notes are issues."""
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]

    assert found == [], f"{what} stands in {len(found)} line(s)"
