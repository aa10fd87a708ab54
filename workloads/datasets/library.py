"""The folder that holds data sets → versions that appear, change place and go by one rename each.

    NAME/current → VERSION     NAME/VERSION/          NAME/.VERSION.json       the manifest; its time: the last use
    NAME/.incoming-VERSION/    what is on its way     NAME/.gone-VERSION/      what is being removed

Whoever reads a version for long takes a shared flock on its folder: it is not evicted then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.datasets import manifest as manifests
from workloads.datasets.config import CURRENT, NAME
from workloads.datasets.pagecache import flushed_filesystem
from workloads.errors import DamagedError, LockedError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.datasets.manifest import Manifest

INCOMING, GONE = ".incoming-", ".gone-"
LOCK = ".lock"
BEGUN, BOOT_ID = ".begun", Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Shelf:
    """The versions of one data set, in a folder of its own."""

    folder: Path

    def current(self) -> str | None:
        """The version that is served, if any."""
        try:
            version = str((self.folder / CURRENT).readlink())
        except OSError:
            return None
        return version if NAME.fullmatch(version) and (self.folder / version).is_dir() else None

    def versions(self) -> list[str]:
        """Those that are whole, the one used longest ago first."""
        with contextlib.suppress(FileNotFoundError):
            names = [each.name for each in os.scandir(self.folder) if each.is_dir(follow_symlinks=False)]
            return sorted((name for name in names if NAME.fullmatch(name)), key=lambda name: (self.used(name), name))
        return []

    def used(self, version: str) -> float:
        """When a sync last found it wanted, in seconds since 1970."""
        try:
            return self._manifest(version).stat().st_mtime
        except OSError:
            return 0.0

    def manifest(self, version: str) -> Manifest | None:
        """What the version must hold; None when that is not known (any more)."""
        file = self._manifest(version)
        try:
            return manifests.parse(file.read_bytes(), str(file))
        except (OSError, DamagedError):
            return None

    def digest(self, version: str) -> str | None:
        """Of the manifest's text; None without one."""
        try:
            return manifests.digest(self._manifest(version).read_bytes())
        except OSError:
            return None

    def incoming(self, version: str) -> Path:
        """Where a version is put together; made when it is not there, for us alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = self.folder / f"{INCOMING}{version}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def begun_this_boot(self) -> bool:
        """Whether what is on its way was begun since this machine started: the page cache was not lost then."""
        with contextlib.suppress(OSError):
            return (self.folder / BEGUN).read_bytes() == BOOT_ID.read_bytes()
        return False

    def begin(self) -> None:
        """Note that all that is on its way is of this boot, or was read again in it."""
        (self.folder / BEGUN).write_bytes(BOOT_ID.read_bytes())

    def note(self, version: str, text: bytes) -> None:
        """Keep a version's manifest, on the disk when this returns."""
        unfinished = self.folder / f".{version}.json.new"
        with unfinished.open("wb") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(self._manifest(version))

    def publish(self, version: str) -> None:
        """What came becomes the version, by one rename, after all of it is on the disk."""
        incoming = self.folder / f"{INCOMING}{version}"
        incoming.chmod(0o755)
        flushed_filesystem(incoming)
        incoming.rename(self.folder / version)
        _flushed(self.folder)

    def serve(self, version: str) -> None:
        """`current` leads to the version: before and after there is no moment without one."""
        self._manifest(version).touch()
        if self.current() == version:
            return
        link = self.folder / f".{CURRENT}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(version)
        link.replace(self.folder / CURRENT)
        _flushed(self.folder)

    def drop_incoming(self, *, but: str | None = None) -> None:
        """Remove what nobody wants any more of what was on its way."""
        for folder in self._hidden(INCOMING):
            if folder.name != f"{INCOMING}{but}":
                shutil.rmtree(folder)

    def evict(self, version: str) -> bool:
        """Remove a version, never half of it in sight; False when somebody holds it by a flock."""
        descriptor = os.open(self.folder / version, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.current() == version:  # of a data set that is not described any more
                (self.folder / CURRENT).unlink()
            (self.folder / version).rename(self.folder / f"{GONE}{version}")
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        self._manifest(version).unlink(missing_ok=True)
        self.clean()
        return True

    def clean(self) -> None:
        """Finish removals that a kill has interrupted."""
        for folder in self._hidden(GONE):
            shutil.rmtree(folder)

    def _hidden(self, prefix: str) -> list[Path]:
        try:
            return [each for each in self.folder.iterdir() if each.name.startswith(prefix)]
        except FileNotFoundError:
            return []

    def _manifest(self, version: str) -> Path:
        return self.folder / f".{version}.json"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run at a time; raises LockedError that names the other. The kernel lets go when a process ends, however."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockedError(
                f"another sync is at work in {folder}: {printable(file.read(100).strip()) or 'it says no more'}",
                next_step="wait for it; `spark-node datasets status` shows how far data sets are.",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}\n")
        file.flush()
        yield


def _flushed(folder: Path) -> None:
    """A folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
