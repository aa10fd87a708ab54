"""A folder → a new version in the store: its files, then its manifest, then the pointer to it.

Nobody sees a version before all of its files are there. A file that did not change since the latest version keeps that
one's object and time: neither is it sent again, nor do hosts fetch it again.
"""

from __future__ import annotations

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.datasets import manifest as manifests
from workloads.datasets import source
from workloads.datasets.fetch import digest_of
from workloads.datasets.manifest import PART_BYTES, Entry, Manifest
from workloads.datasets.tree import look
from workloads.errors import ConfigError, DamagedError, NodeError, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloads.datasets.config import Wanted
    from workloads.datasets.progress import Progress
    from workloads.datasets.source import Pointer
    from workloads.datasets.store import Store
    from workloads.datasets.tree import Found


@dataclass(frozen=True)
class Sending:
    """Where a version is sent to, and how."""

    store: Store
    wanted: Wanted
    progress: Progress
    connections: int = 16
    part_bytes: int = PART_BYTES
    afresh: bool = False  # every file is sent, whatever is there
    oldest: str = ""  # what older versions than this one sent is sent again: something ends it in the store


def publish(
    to: Sending, folder: Path, version: str, chosen: Callable[[str], bool] = lambda _: True
) -> tuple[Manifest, int]:  # fmt: skip
    """Make the `chosen` files of `folder` the latest version; its manifest, and how many files were sent.

    Raises ConfigError for a folder that cannot be mirrored, DamagedError when a file changes meanwhile, StoreError.
    """
    found = checked(folder, chosen)
    before = None if to.afresh else _latest(to.store, to.wanted)
    with ThreadPoolExecutor(to.connections) as pool:
        read = pool.map(lambda path: _entry(to, folder, path, found[path], version), found)
        files = {path: _kept(path, entry, before, to.oldest) for path, entry in zip(found, read, strict=True)}
        manifest = Manifest(version, _now(), dict(sorted(files.items())), to.part_bytes)
        _refuse_other(to.store, to.wanted, manifest)
        fresh = {path: entry for path, entry in files.items() if entry.key == _key(version, path)}
        to.progress.begin(to.wanted.name, version, sum(entry.size for entry in fresh.values()), len(fresh))
        try:
            list(pool.map(lambda path: _send(to, folder, path, fresh[path], found[path]), fresh))
        finally:
            to.progress.end()
    text = manifest.text()
    to.store.put(source.manifest_key(to.wanted, version), text)
    to.store.put(source.pointer_key(to.wanted), source.Pointer(version, manifests.digest(text)).text())
    return manifest, len(fresh)


def _send(to: Sending, folder: Path, path: str, entry: Entry, before: Found) -> None:
    """Put one file; raises DamagedError if somebody wrote to it meanwhile."""
    to.store.put(f"{to.wanted.prefix}/{entry.key}", folder / path if entry.size else b"")
    told = (folder / path).stat()
    if (told.st_size, told.st_mtime_ns) != (before.size, before.mtime_ns):
        raise DamagedError(
            f"{printable(path)} changed while it was sent; nothing was published",
            next_step="publish again when nobody writes there.",
        )
    to.progress.came(entry.size, 1)


def checked(folder: Path, chosen: Callable[[str], bool] = lambda _: True) -> dict[str, Found]:
    """The chosen files of a folder, which can be mirrored; raises ConfigError that names the first one that cannot."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder")
    files = {path: found for path, found in look(folder).files.items() if chosen(path)}
    for path, found in sorted(files.items()):
        if not found.regular:
            raise ConfigError(f"{printable(path)} is no plain file", next_step="data sets hold plain files alone.")
        if not _safe(path):
            raise ConfigError(f"{printable(path)!r}: no store and terminal takes such a name", next_step="rename it.")
    if not files:
        raise ConfigError(f"{folder} holds no files")
    return files


def _safe(path: str) -> bool:
    try:
        return manifests.safe(path)
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False


def _entry(to: Sending, folder: Path, path: str, found: Found, version: str) -> Entry:
    """Read a file once, a digest a part."""
    part_bytes = to.part_bytes
    with (folder / path).open("rb") as file:
        digests = tuple(
            digest_of(file.fileno(), part * part_bytes, min(part_bytes, found.size - part * part_bytes))
            for part in range(manifests.parts(found.size, part_bytes))
        )
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return Entry(found.size, found.mtime_ns, digests, _key(version, path))


def _kept(path: str, entry: Entry, before: Manifest | None, oldest: str) -> Entry:
    """The older version's entry, if the file is the same and its object is to stay."""
    old = before.files.get(path) if before else None
    same = old and (old.size, old.digests) == (entry.size, entry.digests)
    return old if old and same and old.key >= _key(oldest, "") else entry


def latest(store: Store, wanted: Wanted) -> Pointer | None:
    """The version that was published last; None before the first one. Raises DamagedError, StoreError.

    Looked for in a list: S3 refuses to read what is not there to whoever may list a prefix alone (S3 API, GetObject).
    """
    return source.latest(store, wanted) if _there(store, source.pointer_key(wanted)) else None


def _there(store: Store, key: str) -> bool:
    folder, _, name = key.rpartition("/")
    return name in store.names(folder)


def _latest(store: Store, wanted: Wanted) -> Manifest | None:
    pointer = latest(store, wanted)
    return source.fetch(store, wanted, pointer)[0] if pointer else None


def _refuse_other(store: Store, wanted: Wanted, manifest: Manifest) -> None:
    """A version never changes: hosts may serve it already."""
    key = source.manifest_key(wanted, manifest.version)
    if not _there(store, key):
        return
    there = manifests.parse(store.read(key), key)
    same = {path: (e.size, e.digests) for path, e in there.files.items()}
    if same != {path: (e.size, e.digests) for path, e in manifest.files.items()}:
        raise NodeError(
            f"{wanted.name} {manifest.version} is published already, with other files",
            next_step="publish under another version.",
        )


def _key(version: str, path: str) -> str:
    return f"data/{version}/{path}"


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
