"""A sync that dies before any one of its effects leaves a whole version in sight, and the next run ends it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.workloads.datasets.serving import contents, write
from workloads.datasets.library import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.workloads.datasets.serving import Mirror

EFFECTS: tuple[tuple[Any, str], ...] = (
    (Path, "rename"), (Path, "replace"), (Path, "symlink_to"), (Path, "unlink"), (Path, "rmdir"), (Path, "touch"),
    (Path, "chmod"), (os, "fchmod"), (os, "fsync"), (os, "link"),
)  # fmt: skip


class KilledError(BaseException):
    """Nothing of ours catches it, as nothing catches kill -9."""


def dying(monkeypatch: pytest.MonkeyPatch, before: int) -> Callable[[], int]:
    """From now on the effect number `before` kills; how many there were so far."""
    count = 0

    def mortal(effect: Callable[..., Any]) -> Callable[..., Any]:
        def act(*words: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count > before:
                raise KilledError
            return effect(*words, **named)

        return act

    for owner, name in EFFECTS:
        monkeypatch.setattr(owner, name, mortal(getattr(owner, name)))
    return lambda: count


def dies(mirror: Mirror, monkeypatch: pytest.MonkeyPatch, before: int) -> bool:
    """Whether a sync dies before that effect."""
    with monkeypatch.context() as patched:
        dying(patched, before)
        try:
            return mirror.sync().error is not None
        except KilledError:
            return True


def test_whatever_effect_it_dies_before_a_whole_version_is_served(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one version to a next with links, new files and lost ones: each effect in turn, until none is left."""
    source = write(tmp_path / "source", {"same": b"same", "a/changed": b"one", "b/lost": b"x"})
    mirror.publish(source, "v1")
    old = contents(source)
    (source / "b/lost").unlink()
    mirror.publish(write(source, {"a/changed": b"two", "c/new": b"n"}), "v2")
    new = contents(source)
    assert mirror.sync(version="v1").error is None

    for before in itertools.count():
        died = dies(mirror, monkeypatch, before)
        served = str(mirror.current.readlink())
        assert contents(mirror.current) == {"v1": old, "v2": new}[served]
        assert contents(mirror.shelf / "v1") == old
        assert mirror.sync().error is None
        assert contents(mirror.current) == new
        if not died:
            break
        assert mirror.sync(version="v1").error is None
        assert Shelf(mirror.shelf).evict("v2")
    assert before > 8


def test_whatever_effect_it_dies_before_mending_goes_on(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version in which somebody has added, lost and changed files: what is right in it stays right all the time."""
    source = write(tmp_path / "source", {"a": b"a", "deep/b": b"b", "deep/c": b"c"})
    mirror.publish(source, "v1")
    assert mirror.sync().error is None

    for before in itertools.count():
        (mirror.shelf / "v1/deep/b").unlink()
        write(mirror.shelf / "v1", {"stray/file": b""})
        died = dies(mirror, monkeypatch, before)
        assert (mirror.current / "a").read_bytes() == b"a"
        assert mirror.sync().error is None
        assert contents(mirror.current) == contents(source)
        if not died:
            break
    assert before > 3
