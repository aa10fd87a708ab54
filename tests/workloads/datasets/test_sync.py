"""Published in a real store, mirrored into a folder: whole and exact, or what was there before."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.workloads.datasets.serving import NAME, PART_BYTES, contents, write
from workloads.datasets.library import Shelf, locked
from workloads.errors import DamagedError, LockedError, NodeError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.datasets.serving import Mirror

FILES = {
    "train/0.bin": os.urandom(3 * PART_BYTES + 17),  # comes in parts
    "train/1.bin": b"one",
    "deep/er/still/é space.txt": b"text",
    "empty": b"",
}


def test_a_mirror_is_exactly_what_was_published(mirror: Mirror, tmp_path: Path) -> None:
    """Files, contents and times, readable for all and writable for none; a second run has nothing to do."""
    source = write(tmp_path / "source", FILES)
    mirror.publish(source, "v1")

    first, second = mirror.sync(), mirror.sync()

    assert (first.error, first.fetched_files, second.error, second.changed) == (None, len(FILES), None, False)
    assert contents(mirror.current) == contents(source)
    for path in FILES:
        told = (mirror.current / path).stat()
        assert (told.st_mtime_ns, told.st_mode & 0o777) == ((source / path).stat().st_mtime_ns, 0o444)
    assert (mirror.shelf / "v1").stat().st_mode & 0o777 == 0o755
    assert [each.name for each in mirror.shelf.iterdir() if each.name.startswith(".incoming")] == []


def test_a_new_version_brings_what_changed_alone(mirror: Mirror, tmp_path: Path) -> None:
    """The rest is neither sent nor fetched again; the old version stays as it was."""
    source = write(tmp_path / "source", FILES)
    mirror.publish(source, "v1")
    mirror.sync()
    old = contents(mirror.current)
    (source / "train/1.bin").write_bytes(b"two")
    (source / "empty").unlink()

    sent = mirror.publish(source, "v2")
    outcome = mirror.sync()

    assert (sent, outcome.fetched_files, outcome.linked_files) == (1, 1, 2)
    assert contents(mirror.current) == contents(source)
    assert contents(mirror.shelf / "v1") == old
    assert mirror.sync(version="v1").error is None
    assert contents(mirror.current) == old


def test_what_somebody_changed_here_is_made_as_published(mirror: Mirror, tmp_path: Path) -> None:
    """A strange file, a lost one, another content, a folder in a file's place: each is noticed and mended."""
    mirror.publish(write(tmp_path / "source", FILES), "v1")
    mirror.sync()
    served = mirror.shelf / "v1"
    (served / "strange").mkdir()
    (served / "strange" / "file").write_text("x")
    (served / "empty").unlink()
    (served / "empty").mkdir()
    (served / "train/1.bin").chmod(0o600)
    (served / "train/1.bin").write_bytes(b"eno")

    outcome = mirror.sync()

    assert (outcome.error, outcome.fetched_files) == (None, 2)
    assert contents(served) == contents(tmp_path / "source")
    assert not (served / "strange").exists()


def test_rot_on_the_disk_is_found_when_asked_for(mirror: Mirror, tmp_path: Path) -> None:
    """Other bytes under the same size and time: `--verify` reads all of them."""
    mirror.publish(write(tmp_path / "source", FILES), "v1")
    mirror.sync()
    victim = mirror.current / "train/0.bin"
    told = victim.stat()
    victim.chmod(0o600)
    with victim.open("r+b") as file:
        file.seek(2 * PART_BYTES)
        file.write(b"rot")
    os.utime(victim, ns=(told.st_mtime_ns, told.st_mtime_ns))

    assert not mirror.sync().changed
    assert mirror.sync(verify=True).fetched_files == 1
    assert contents(mirror.current) == contents(tmp_path / "source")


@pytest.mark.parametrize("path", ["train/1.bin", "train/0.bin"])
@pytest.mark.parametrize("how", ["flipped", "replaced", "shorter", "gone"])
def test_an_object_that_is_not_what_was_published_is_told(mirror: Mirror, tmp_path: Path, path: str, how: str) -> None:
    """By its name; nothing of that version appears, and the one before is served on."""
    source = write(tmp_path / "source", {"old": b"old"})
    mirror.publish(source, "v1")
    mirror.sync()
    mirror.publish(write(source, FILES), "v2")
    victim = mirror.served.object(f"{mirror.prefix}/data/v2/{path}")
    content = bytearray(victim.read_bytes())
    if how == "gone":
        victim.unlink()
    elif how == "flipped":
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    else:
        victim.write_bytes(content + b"more" if how == "replaced" else content[:-1])

    outcome = mirror.sync()

    assert isinstance(outcome.error, DamagedError)
    assert path in str(outcome.error)
    assert str(mirror.current.readlink()) == "v1"
    assert not (mirror.shelf / "v2").exists()


def test_a_manifest_that_was_replaced_is_told(mirror: Mirror, tmp_path: Path) -> None:
    """The pointer holds its digest; what is served does not change."""
    source = write(tmp_path / "source", FILES)
    mirror.publish(source, "v1")
    mirror.sync()
    (source / "empty").write_bytes(b"not any more")
    mirror.publish(source, "v2")
    file = mirror.served.object(f"{mirror.prefix}/manifests/v2.json")
    file.write_bytes(file.read_bytes().replace(b'"created":"2', b'"created":"1'))

    outcome = mirror.sync()

    assert isinstance(outcome.error, DamagedError)
    assert "not the manifest that was published" in str(outcome.error)
    assert str(mirror.current.readlink()) == "v1"


def test_a_version_is_never_published_twice_with_other_files(mirror: Mirror, tmp_path: Path) -> None:
    """Hosts may serve it; the same files again are no change."""
    source = write(tmp_path / "source", FILES)
    mirror.publish(source, "v1")
    mirror.publish(source, "v1")
    (source / "empty").write_bytes(b"x")
    with pytest.raises(NodeError, match="published already"):
        mirror.publish(source, "v1")


def test_a_store_that_is_down_is_told_and_what_came_before_is_served(mirror: Mirror, tmp_path: Path) -> None:
    """With what to do next; a version that is here and named needs no store at all."""
    mirror.publish(write(tmp_path / "source", FILES), "v1")
    mirror.sync()
    mirror.served.kill()

    outcome = mirror.sync()

    assert isinstance(outcome.error, StoreError)
    assert "the store is down" in str(outcome.error)
    assert contents(mirror.current) == contents(tmp_path / "source")
    assert mirror.sync(version="v1").error is None


def test_versions_go_by_their_last_use_and_only_as_many_as_needed(mirror: Mirror, tmp_path: Path) -> None:
    """Never the one that is served, nor one that somebody holds by a flock."""
    for number in range(4):
        mirror.publish(write(tmp_path / f"s{number}", {"a": os.urandom(2 << 20)}), f"v{number}")
        mirror.sync()
        os.utime(mirror.shelf / f".v{number}.json", (number, number))
    mirror.publish(write(tmp_path / "next", {"a": os.urandom(2 << 20)}), "v4")
    told = os.statvfs(mirror.folder)
    free = told.f_bavail * told.f_frsize
    # Others use this disk too: so much more than is free that their share does not matter would evict all.
    mirror.settings = {"keep_free_bytes": free + (64 << 30)}
    holder = os.open(mirror.shelf / "v0", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_SH)

    refused = mirror.sync()
    os.close(holder)
    mirror.settings = {}

    assert refused.error is not None
    assert refused.error.exit_code == 21
    assert sorted(Shelf(mirror.shelf).versions()) == ["v0", "v3"]
    assert str(mirror.current.readlink()) == "v3"
    assert mirror.sync().error is None


def test_a_bandwidth_is_kept(mirror: Mirror, tmp_path: Path) -> None:
    """4 MiB at 4 MiB a second, in chunks of which the first comes at once."""
    mirror.settings = {"bandwidth_bytes_s": 4 << 20}
    mirror.publish(write(tmp_path / "source", {f"{n}": os.urandom(PART_BYTES) for n in range(5)}), "v1")
    began = time.monotonic()
    assert mirror.sync().error is None
    assert time.monotonic() - began >= 1.0


def test_only_one_sync_at_a_time(mirror: Mirror) -> None:
    """The second one is told who is at it."""
    with (
        locked(mirror.folder),
        pytest.raises(LockedError, match=f"process {os.getpid()}, since"),
        locked(mirror.folder),
    ):
        pass


def test_nothing_published_is_told(mirror: Mirror) -> None:
    """With the command that publishes."""
    assert f"datasets publish {NAME}" in str(mirror.sync().error)
