"""Entries of a manifest → files in a staging folder, each checked against its digests and out of the page cache.

Threads take pieces (a small file, or a part of a large one) from one list. A file gets its time last, so whoever
finds it with that time knows it whole. The first error stops all; what has come stays, for the next run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from workloads.datasets.pagecache import Behind
from workloads.datasets.store import MissingError, SilentError
from workloads.errors import DamagedError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workloads.datasets.limit import Limit
    from workloads.datasets.manifest import Entry

PATIENCE_S = 60.0  # without a byte from any connection
PAUSE_S = 1.0
READ_BYTES = 1 << 20
UNFINISHED, WHOLE = 0o600, 0o444  # modes


class Bucket(Protocol):
    """What is wanted of a store."""

    def pieces(self, key: str, start: int, length: int, size: int) -> Iterator[Any]:
        """So many bytes of an object from `start` on, as buffers; DamagedError when it has not `size` in all."""


class Teller(Protocol):
    """Who is told how far it is."""

    def came(self, size: int, files: int) -> None:
        """So many bytes more, so many files done."""


@dataclass
class Large:
    """A file that comes in parts: open as long as any is missing."""

    path: str
    descriptor: int
    missing: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def part_done(self) -> bool:
        """Whether that was the last one."""
        with self.lock:
            self.missing -= 1
            return self.missing == 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What one request brings."""

    path: str
    entry: Entry
    start: int
    length: int
    digest: str
    large: Large | None = None


@dataclass(frozen=True)
class Way:
    """How the bytes of a data set come: from below `prefix` of `bucket`, at most as fast as `limit` says."""

    bucket: Bucket
    prefix: str
    limit: Limit
    tell: Teller
    patience_s: float = PATIENCE_S


class Fetch:
    """One run over some entries of one version, into `folder`."""

    def __init__(self, way: Way, folder: Path, part_bytes: int) -> None:
        self._way, self._tell, self._folder, self._part_bytes = way, way.tell, folder, part_bytes
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._fault: BaseException | None = None
        self._heard = time.monotonic()
        self._open: list[Large] = []
        self.kept = 0  # bytes of large files that were here from an earlier run

    def run(self, entries: dict[str, Entry], connections: int) -> None:
        """Bring them all. Raises DamagedError, StoreError or OSError: the first one of any thread."""
        pieces = self._pieces(entries)
        threads = [threading.Thread(target=self._work, args=(pieces,), daemon=True) for _ in range(connections)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:  # also when a person interrupts: the threads are daemons, and what has come stays
            self._stop.set()
        for large in self._open:
            if large.missing:
                os.close(large.descriptor)
        if self._fault:
            raise self._fault

    def _pieces(self, entries: dict[str, Entry]) -> Iterator[Piece]:
        """Large files first: their parts fill the connections; small ones fill the end."""
        for path, entry in sorted(entries.items(), key=lambda item: -item[1].size):
            if len(entry.digests) == 1:
                yield Piece(path, entry, 0, entry.size, entry.digests[0])
                continue
            descriptor, missing = self._opened(path, entry)
            large = Large(path, descriptor, len(missing))
            self._open.append(large)
            for part in missing:
                start = part * self._part_bytes
                yield Piece(path, entry, start, min(self._part_bytes, entry.size - start), entry.digests[part], large)
            if not missing:
                self._finish(large, entry)

    def _opened(self, path: str, entry: Entry) -> tuple[int, list[int]]:
        """A large file with room for all of it, and which of its parts are not there yet."""
        file = self._folder / path
        with contextlib.suppress(FileNotFoundError):
            told = file.lstat()
            if told.st_nlink > 1 or told.st_mode & 0o777 != UNFINISHED:
                file.unlink()  # also a file of another version, which must not change; or one that was whole once
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, UNFINISHED)
        if os.fstat(descriptor).st_size != entry.size:
            os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, entry.size)  # a full disk says so now
            return descriptor, list(range(len(entry.digests)))
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        missing = []
        for part, digest in enumerate(entry.digests):
            start = part * self._part_bytes
            length = min(self._part_bytes, entry.size - start)
            if digest_of(descriptor, start, length) == digest:
                self._tell.came(length, 0)
                self.kept += length
            else:
                missing.append(part)
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
        return descriptor, missing

    def _work(self, pieces: Iterator[Piece]) -> None:
        behind = Behind()
        try:
            while not self._stop.is_set():
                with self._lock:
                    piece = next(pieces, None)
                if piece is None:
                    break
                self._patiently(piece, behind)
            behind.empty()
        except BaseException as error:  # noqa: BLE001  (it is raised where `run` was called)
            with contextlib.suppress(OSError):
                behind.empty()
            with self._lock:
                self._fault = self._fault or error
            self._stop.set()

    def _patiently(self, piece: Piece, behind: Behind) -> None:
        """Bring a piece; again and again while the store is silent, as long as any thread has heard of it lately.

        Once more, too, when it is not what was published: it may have been damaged on the way.
        """
        again = True
        while True:
            try:
                return self._bring(piece, behind)
            except SilentError:
                if time.monotonic() - self._heard > self._way.patience_s or self._stop.wait(PAUSE_S):
                    raise
            except DamagedError as error:
                if not again:
                    raise replaced(piece, error.what) from error
                again = False
            except MissingError as error:
                raise DamagedError(
                    f"{printable(piece.path)}: its object {printable(piece.entry.key)} is not in the bucket any more",
                    next_step="publish a new version from the source.",
                ) from error

    def _bring(self, piece: Piece, behind: Behind) -> None:
        large = piece.large
        descriptor = large.descriptor if large else self._fresh(piece.path)
        try:
            self._write(piece, descriptor, behind)
        except BaseException:
            if not large:
                os.close(descriptor)
            raise
        if not large:
            stamp(descriptor, piece.entry)
            behind.wrote(descriptor, 0, piece.length, close=True)
            self._tell.came(0, 1)
            return
        behind.empty()  # before the last one to come closes the file
        if large.part_done():
            self._finish(large, piece.entry)

    def _write(self, piece: Piece, descriptor: int, behind: Behind) -> None:
        """Stream a piece into its place; raises DamagedError when it is not what the manifest says."""
        key, sha, came = f"{self._way.prefix}/{piece.entry.key}", hashlib.sha256(), 0
        try:
            for chunk in self._way.bucket.pieces(key, piece.start, piece.length, piece.entry.size):
                self._way.limit.take(len(chunk))
                if came + len(chunk) > piece.length:
                    break
                sha.update(chunk)
                put(descriptor, chunk, piece.start + came)
                if piece.large:
                    behind.wrote(descriptor, piece.start + came, len(chunk), close=False)
                came += len(chunk)
                self._heard = time.monotonic()
                self._tell.came(len(chunk), 0)
            check(piece, came, sha.hexdigest())
        except BaseException:
            self._tell.came(-came, 0)
            raise

    def _finish(self, large: Large, entry: Entry) -> None:
        stamp(large.descriptor, entry)
        # Once more, as a whole: pages come in folios, and one that lies over two ranges stays for both.
        os.posix_fadvise(large.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(large.descriptor)
        self._tell.came(0, 1)

    def _fresh(self, path: str) -> int:
        """A new file in the place of any old one, which may also be a file of another version."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(f"{self._folder}/{path}", flags, UNFINISHED)
        except FileExistsError:
            (self._folder / path).unlink()
            return os.open(self._folder / path, flags, UNFINISHED)


def stamp(descriptor: int, entry: Entry) -> None:
    """Mark a checked file: its mode is for readers, its time is the manifest's."""
    os.fchmod(descriptor, WHOLE)
    os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))


def put(descriptor: int, data: Any, at: int) -> None:
    """Write all of `data`: one call writes 2 GiB at most, or less near a full disk."""
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def digest_of(descriptor: int, start: int, length: int) -> str:
    """The SHA-256 of a range of a file; what is beyond its end counts as nothing."""
    sha = hashlib.sha256()
    end = start + length
    while start < end and (data := os.pread(descriptor, min(READ_BYTES, end - start), start)):
        sha.update(data)
        start += len(data)
    return sha.hexdigest()


def make_folders(folder: Path, paths: Iterable[str]) -> None:
    """Every folder that the files need."""
    for path in sorted(paths):
        (folder / path).mkdir(mode=0o755, parents=True, exist_ok=True)


def check(piece: Piece, came: int, digest: str) -> None:
    """Raise DamagedError unless so many bytes with this digest are the piece."""
    if came != piece.length:
        raise DamagedError(f"{came} bytes came instead of {piece.length}")
    if digest != piece.digest:
        raise DamagedError(f"SHA-256 {digest[:16]}… instead of {piece.digest[:16]}…")


def replaced(piece: Piece, how: str) -> DamagedError:
    """An object that is not what was published, by its file's name."""
    return DamagedError(
        f"{printable(piece.path)}: object {printable(piece.entry.key)} is not what was published: {how}",
        usually="somebody has overwritten the object, or the store has damaged it",
        next_step="publish a new version from the source; what was served before is served on.",
    )
