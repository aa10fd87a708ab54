"""Keeping or restoring dies before any one of its effects: what is told is whole, and the next one ends it."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.datasets.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.workloads.label.keeping.kept import KeptProject

EFFECTS: tuple[tuple[Any, str], ...] = (
    (Store, "put"), (Path, "rename"), (Path, "replace"), (Path, "chmod"), (Path, "mkdir"), (os, "fchmod"),
    (shutil, "rmtree"), (shutil, "copytree"),
)  # fmt: skip
MANY = 5  # of one kind: dying before each of hundreds of files is the same


class KilledError(BaseException):
    """Nothing of ours catches it, as nothing catches kill -9."""


def dying(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """From now on the effect number `before` kills, and so does every later one."""
    count = itertools.count()

    def mortal(effect: Callable[..., Any]) -> Callable[..., Any]:
        def act(*words: Any, **named: Any) -> Any:
            if next(count) >= before:
                raise KilledError
            return effect(*words, **named)

        return act

    for owner, name in EFFECTS:
        monkeypatch.setattr(owner, name, mortal(getattr(owner, name)))


def dies(act: Callable[[], object], monkeypatch: pytest.MonkeyPatch, before: int) -> bool:
    """Whether it dies before that effect."""
    with monkeypatch.context() as patched:
        dying(patched, before)
        try:
            act()
        except KilledError:
            return True
    return False


def test_keeping_that_dies_anywhere_shows_no_half_version(
    project: KeptProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest version is the one before or this one, whole; the next try goes on from either."""
    for path in sorted(project.records())[MANY:]:
        project.work.path(path).unlink()
    project.keep()
    for before in itertools.count():
        old = project.records()
        project.work.put("roi.json", f"{before}".encode())
        project.work.put("reviews.jsonl", f"{before}\n".encode())
        new = project.records()
        died = dies(project.keep, monkeypatch, before)
        saved = tmp_path / "saved"
        project.work.folder.rename(saved)
        project.restore()
        assert project.records() in ((old, new) if died else (new,))
        project.lose()
        saved.rename(project.work.folder)
        project.keep()
        if not died:
            break
    assert before > 8


def test_restoring_that_dies_anywhere_shows_nothing_or_all(
    project: KeptProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is left, the workspace is empty or whole, and the same command brings all of it."""
    for path in sorted(project.records())[MANY:]:
        project.work.path(path).unlink()
    project.keep()
    records = project.records()
    for before in itertools.count():
        project.lose()
        project.work.put("recurring/learn.json", b"{}")
        died = dies(project.restore, monkeypatch, before)
        assert project.records() in ((records, {}) if died else (records,))
        if not project.records():
            project.restore()
        assert project.records() == records
        if not died:
            break
    shutil.rmtree(project.work.folder)
    assert before > MANY
