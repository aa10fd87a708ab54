"""A project's source → the folder that it is, and every file in it that may be read; a document → its bytes.

A source is a folder, or the version of a data set that is served now. Nothing that leads out of it is followed: no
link, on no level, and what is no plain file is never opened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from workloads.datasets.config import NAME
from workloads.datasets.library import Shelf
from workloads.errors import ConfigError, DamagedError, printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from workloads.datasets.manifest import Entry
    from workloads.label.params import Params
    from workloads.label.records import Document
    from workloads.label.site import Site

# A pipe or a device behind a plain name must not make us wait: NONBLOCK has no effect on plain files.
PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
KINDS = {
    stat.S_IFLNK: "link", stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A folder, what records call it, and what a manifest says of its files."""

    folder: Path
    name: str
    entries: dict[str, Entry] = field(default_factory=dict)

    def digest(self, path: str, status: os.stat_result) -> str | None:
        """The SHA-256 of a file that is as it was when the data set's sync checked it; a large one has several."""
        entry = self.entries.get(path)
        fits = entry and (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
        return entry.digests[0] if entry and fits and len(entry.digests) == 1 else None


@contextlib.contextmanager
def opened(params: Params, site: Site) -> Iterator[Source]:
    """The project's source; a data set's version is not evicted while this lasts. Raises ConfigError without one."""
    wanted = params.source
    if wanted.folder is not None:
        folder = (params.folder / wanted.folder).resolve()
        if not folder.is_dir():
            raise ConfigError(f"{folder} is no folder", next_step="mend source.folder in project.toml.")
        yield Source(folder, str(folder))
        return
    shelf = Shelf(site.datasets / wanted.dataset)
    version = shelf.current() if NAME.fullmatch(wanted.dataset) else None
    if version is None:
        raise ConfigError(
            f"the data set {printable(wanted.dataset)!r} is not on this machine",
            usually="it was never synced here, or is not described for this host.",
            next_step="`spark-node datasets sync`, or mend source.dataset in project.toml.",
        )
    folder = shelf.folder / version
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        manifest = shelf.manifest(version)
        yield Source(folder, f"{wanted.dataset}@{version}", manifest.files if manifest else {})
    finally:
        os.close(held)


def where(document: Document, site: Site) -> Path:
    """The folder that a document's path is below, from what its record says."""
    name, _, version = document.source.rpartition("@")
    return site.datasets / name / version if name and not document.source.startswith("/") else Path(document.source)


def read(document: Document, site: Site) -> BinaryIO:
    """A document's file, opened without following a link anywhere below its source; raises DamagedError without it."""
    folder, parts = where(document, site), document.path.split("/")
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            at = _step(at, part)
        try:
            return os.fdopen(plain(parts[-1], at), "rb")
        finally:
            os.close(at)
    except OSError as error:
        raise DamagedError(
            f"{printable(document.path)}: {error.strerror}",
            usually="the file was moved or removed since it was fetched.",
            next_step="run it again from fetch: what is there then counts.",
        ) from error


def plain(name: str, folder: int) -> int:
    """The descriptor of a plain file in an open folder; raises OSError for a link and for what is no plain file."""
    if name in {"", ".", ".."}:
        raise IsADirectoryError(21, "it is a folder")
    descriptor = os.open(name, PLAIN, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "it is no plain file")
    return descriptor


@dataclass(frozen=True)
class Found:
    """A plain file: its path below the source, its name in the open folder, and what tells whether it changed."""

    path: str
    name: str
    folder: int
    status: os.stat_result


def files(source: Source, left_out: Counter[str]) -> Iterator[Found]:
    """Every plain file that is not hidden, in the order of their names; all else is counted by what it is."""

    def closed(_: OSError) -> None:
        left_out["unreadable folder"] += 1

    for place, folders, names, descriptor in os.fwalk(source.folder, onerror=closed, follow_symlinks=False):
        left_out["hidden"] += sum(name.startswith(".") for name in [*folders, *names])
        shown = sorted(name for name in [*folders, *names] if not name.startswith("."))
        inside, folders[:] = Path(place).relative_to(source.folder), []
        for name in shown:
            with contextlib.suppress(FileNotFoundError):  # gone since the folder was listed
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield Found((inside / name).as_posix(), name, descriptor, status)
                elif stat.S_ISDIR(status.st_mode):
                    folders.append(name)
                else:
                    left_out[KINDS.get(stat.S_IFMT(status.st_mode), "no file")] += 1


def _step(folder: int, name: str) -> int:
    """Into a folder of an open folder, which is closed; raises OSError for a link."""
    try:
        if name in {"", ".", ".."}:
            raise NotADirectoryError(20, "its path leads elsewhere")
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
