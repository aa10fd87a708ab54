"""The verdict on playbooks is remembered for these very files, and for no others."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from lab import lint
from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Some of what is read, in a folder that may be changed."""
    for each in (CHECKOUT / name for name in lint.SETTINGS):
        (tmp_path / each.relative_to(CHECKOUT)).parent.mkdir(exist_ok=True)
        shutil.copy(each, tmp_path / each.relative_to(CHECKOUT))
    shutil.copytree(CHECKOUT / "playbooks/roles/base", tmp_path / "playbooks/roles/base")
    return tmp_path


@pytest.mark.parametrize("changed", ["playbooks/roles/base/vars/main.yml", *lint.SETTINGS])
def test_whatever_is_read_changes_the_name(copy: Path, changed: str) -> None:
    """A role's file, a setting, the lock; the same content in another folder does not."""
    before = lint.name(copy)
    (copy / changed).write_text((copy / changed).read_text() + "# more\n")
    assert lint.name(copy) != before


def test_what_was_found_bad_is_looked_at_again(copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fault is told each time, until it is mended."""
    monkeypatch.setattr(lint, "CHECKOUT", copy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs, verdict = tmp_path / "bin", copy / "verdict"
    programs.mkdir()
    (programs / "ansible-lint").write_text(f"#!/bin/sh\necho asked >> {copy}/asked; exit $(cat {verdict})\n")
    (programs / "ansible-lint").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    ends = []
    for status in ("2", "2", "0", "0"):
        verdict.write_text(status)
        ends.append(lint.main())
    assert ends == [2, 2, 0, 0]
    assert (copy / "asked").read_text().splitlines() == ["asked"] * 3
