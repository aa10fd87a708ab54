"""Faults in the middle of a sync, with a real store: killed processes, a full disk, a store that goes down."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.waiting import until
from tests.workloads.datasets.serving import PART_BYTES, PROJECT, Mirror, contents, write
from workloads.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.drill

KILLS = 10
MIB = 1 << 20


def many(folder: Path) -> Path:
    """A thousand small files and two large ones: 144 MiB."""
    small = {f"small/{n // 100}/{n}.bin": os.urandom(16 << 10) for n in range(1024)}
    return write(folder, {**small, **{f"large/{n}.bin": os.urandom(64 * MIB) for n in range(2)}})


def tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every name: mode, size of files, time of files."""
    found = {}
    for each in sorted(folder.resolve().rglob("*")):
        told, file = each.lstat(), each.is_file()
        found[str(each.relative_to(folder.resolve()))] = (
            told.st_mode, told.st_size if file else 0, told.st_mtime_ns if file else 0,
        )  # fmt: skip
    return found


def come(mirror: Mirror) -> int:
    """How many bytes of v2 are on the disk."""
    total = 0
    for each in (mirror.shelf / ".incoming-v2").rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # it got its own name meanwhile
            total += 512 * each.lstat().st_blocks
    return total


class Watch:
    """Reads what people read, all the time: every look must show one whole version."""

    def __init__(self, mirror: Mirror, versions: dict[str, dict[str, tuple[int, int, int]]]) -> None:
        self.faults: list[str] = []
        self.looks = 0
        self._mirror, self._versions, self._stop = mirror, versions, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            seen = {each.name for each in self._mirror.shelf.iterdir() if not each.name.startswith(".")}
            for name in seen - {"current"}:
                if tree(self._mirror.shelf / name) != self._versions[name]:
                    self.faults.append(f"{name} is not whole")
            if not self._mirror.current.is_dir():
                self.faults.append("current leads nowhere")
            self.looks += 1


def test_killed_ten_times_it_ends_as_if_it_never_was(mirror: Mirror, tmp_path: Path) -> None:
    """At random moments; each run goes on where the one before was killed, and no partial file is ever visible."""
    mirror.publish(write(tmp_path / "old", {"a": b"old"}), "v1")
    assert mirror.sync().error is None
    source = many(tmp_path / "source")
    mirror.publish(source, "v2")
    other = Mirror(mirror.served, tmp_path / "other", mirror.key_file, mirror.prefix)
    assert other.sync().error is None
    mirror.settings = {"bandwidth_bytes_s": 16 * MIB}  # slow enough to be killed ten times
    versions = {"v1": tree(mirror.current), "v2": tree(other.current)}
    seed = time.time_ns()
    moments = random.Random(seed)  # noqa: S311
    print(f"seed {seed}")

    with Watch(mirror, versions) as watch:
        for number in range(1, KILLS + 1):
            words, env = mirror.words("sync", "--quiet"), {**os.environ, "PYTHONPATH": str(PROJECT)}
            process = subprocess.Popen(words, env=env)
            time.sleep(moments.uniform(0.2, 1.6))
            if number == KILLS:  # on a loaded machine none may have come further than its start; the last one has
                until(lambda: come(mirror) >= 4 * PART_BYTES, "a sync on its way", 60)
            process.kill()
            assert process.wait() == -9, "it was done before it could be killed"
            assert str(mirror.current.readlink()) == "v1"
        mirror.settings = {}
        outcome = mirror.sync()

    assert outcome.error is None
    assert outcome.fetched_bytes < outcome.size - PART_BYTES  # what had come was kept
    assert (watch.faults, watch.looks > KILLS) == ([], True)
    assert tree(mirror.current) == versions["v2"]
    assert contents(mirror.current) == contents(source)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of this size."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_fills_up_is_told_and_the_old_version_is_served(mirror: Mirror, tmp_path: Path) -> None:
    """Before it begins, when it can be known; in the middle, when somebody else takes the space."""
    with small_disk(tmp_path / "disk", 80 * MIB) as disk:
        host = Mirror(mirror.served, disk / "host", mirror.key_file, mirror.prefix)
        host.publish(write(tmp_path / "old", {"a": b"old"}), "v1")
        assert host.sync().error is None
        source = write(tmp_path / "source", {f"{n}.bin": os.urandom(5 * MIB) for n in range(10)})
        host.publish(source, "v2")

        host.settings = {"keep_free_bytes": 60 * MIB}
        refused = host.run("sync")
        host.settings = {"bandwidth_bytes_s": 10 * MIB}
        running = subprocess.Popen(
            host.words("sync"), env={**os.environ, "PYTHONPATH": str(PROJECT)}, stderr=subprocess.PIPE, text=True
        )
        until(lambda: list((host.shelf / ".incoming-v2").glob("*.bin")), "a file on its way")
        (disk / "somebody").write_bytes(b"x" * (60 * MIB))
        said = running.communicate(timeout=60)[1]

        assert (refused.returncode, "must stay free" in refused.stderr) == (21, True)
        assert (running.returncode, "the disk is full" in said) == (21, True)
        assert contents(host.current) == contents(tmp_path / "old")
        assert not list(host.shelf.glob(".incoming-*"))  # the host has its space again
        (disk / "somebody").unlink()
        host.settings = {}
        assert host.run("sync").returncode == 0
        assert contents(host.current) == contents(source)


def came(mirror: Mirror) -> int:
    """How many files are on their way."""
    return len(list((mirror.shelf / ".incoming-v1").rglob("*.bin")))


def test_a_store_that_goes_down_is_waited_for_and_then_told(mirror: Mirror, tmp_path: Path) -> None:
    """Down for a while: the same run goes on. Down for longer: it is told, and the next run brings the rest."""
    source = write(tmp_path / "source", {f"{n}.bin": os.urandom(PART_BYTES) for n in range(60)})
    mirror.publish(source, "v1")
    mirror.settings = {"bandwidth_bytes_s": 10 * MIB}

    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(mirror.sync(patience_s=60)))
    thread.start()
    until(lambda: came(mirror) >= 10, "ten files on their way")
    mirror.served.kill()
    time.sleep(3)
    mirror.served.start()
    thread.join(timeout=90)
    assert [outcome.error for outcome in outcomes] == [None]
    assert contents(mirror.current) == contents(source)

    other = Mirror(mirror.served, tmp_path / "other", mirror.key_file, mirror.prefix, dict(mirror.settings))
    thread = threading.Thread(target=lambda: outcomes.append(other.sync(patience_s=1)))
    thread.start()
    until(lambda: came(other) >= 10, "ten files on their way")
    mirror.served.kill()
    thread.join(timeout=90)
    assert isinstance(outcomes[-1].error, StoreError)
    assert "the store is down" in str(outcomes[-1].error)
    assert not other.current.exists()

    mirror.served.start()
    other.settings = {}
    last = other.sync()
    assert last.error is None
    assert last.fetched_files <= 50
    assert contents(other.current) == contents(source)
