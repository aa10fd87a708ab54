"""References lead to secrets, and a kept secret is never half-written, never readable by others, never quoted."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from sparkfleet import secrets
from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_reference_gives_its_text_without_the_last_newline(tmp_path: Path) -> None:
    """Editors end a file with a newline; it is not part of the secret, inner newlines are."""
    (tmp_path / "s").write_text("two\nlines\n")

    assert secrets.resolve(f"file:{tmp_path / 's'}") == "two\nlines"


def test_an_env_reference_gives_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """env:NAME is the value of NAME."""
    monkeypatch.setenv("SPARKFLEET_TEST", "value")

    assert secrets.resolve("env:SPARKFLEET_TEST") == "value"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("file:/nowhere/at/all", "No such file"),
        ("env:SPARKFLEET_TEST_UNSET", "is not set"),
        ("file:", "neither file:PATH nor env:NAME"),
        ("vault:x", "neither file:PATH nor env:NAME"),
    ],
)
def test_a_reference_that_leads_nowhere_says_why_and_what_to_do(reference: str, expected: str) -> None:
    """Each way to be wrong has its own sentence and a next step."""
    with pytest.raises(SparkfleetError, match=expected) as raised:
        secrets.resolve(reference)
    assert raised.value.next_step


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """A file of white space is refused: an empty password would open what it should close."""
    (tmp_path / "s").write_text(" \n")

    with pytest.raises(SparkfleetError, match="is empty"):
        secrets.resolve(f"file:{tmp_path / 's'}")


def test_a_secret_in_place_of_its_reference_is_not_repeated() -> None:
    """Who wrote the secret itself by mistake does not find it in the message."""
    with pytest.raises(SparkfleetError) as raised:
        secrets.resolve("hunter2hunter2")
    assert "hunter2" not in str(raised.value)


def test_a_kept_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """File 0600, folder 0700, whatever the umask and the folder's mode were before."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        secrets.write(folder / "key", "value")
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_write_that_fails_half_way_leaves_the_old_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk gives up before the new file is complete, the old text is still there and the next write works."""
    path = tmp_path / "key"
    secrets.write(path, "old")

    def disk_full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_full)
        with pytest.raises(SparkfleetError, match="No space left") as raised:
            secrets.write(path, "new-secret")
    assert path.read_text() == "old"
    assert "new-secret" not in str(raised.value)

    secrets.write(path, "new")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    """A symbolic link in the place of the unfinished file is replaced, its target is left alone."""
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / ".key.unfinished").symlink_to(target)

    secrets.write(tmp_path / "key", "value")

    assert (target.read_text(), (tmp_path / "key").read_text()) == ("untouched", "value")


def test_removing_takes_the_secret_and_what_a_kill_left(tmp_path: Path) -> None:
    """remove() deletes both files and is content when there is none."""
    secrets.write(tmp_path / "key", "value")
    (tmp_path / ".key.unfinished").write_text("value")

    secrets.remove(tmp_path / "key")
    secrets.remove(tmp_path / "key")

    assert list(tmp_path.iterdir()) == []
