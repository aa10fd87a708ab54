"""A configuration → every wanted version whole on this machine and served; what happened, a data set each.

The flow of one data set: which version → its manifest → what of it is here → room → what is missing, by link or from
the store → whole? → on the disk → it appears → `current` leads to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workloads.datasets import room, source
from workloads.datasets.config import LATEST
from workloads.datasets.fetch import PATIENCE_S, Fetch, Way, digest_of, make_folders
from workloads.datasets.library import Shelf
from workloads.datasets.limit import Limit
from workloads.datasets.store import Store
from workloads.datasets.tree import Difference, difference, folders_of, look
from workloads.errors import DISK_FULL, DamagedError, NodeError, NoRoomError

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.datasets.config import Config, Wanted
    from workloads.datasets.manifest import Entry, Manifest
    from workloads.datasets.progress import Progress

BLOCK = 4096


@dataclass
class Outcome:
    """What a sync of one data set did."""

    name: str
    version: str = ""
    files: int = 0
    size: int = 0
    fetched_files: int = 0
    fetched_bytes: int = 0
    linked_files: int = 0
    removed: int = 0
    evicted: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: NodeError | None = None

    @property
    def changed(self) -> bool:
        """Whether anything on this machine is not as before."""
        return bool(self.fetched_files or self.linked_files or self.removed or self.evicted)


def sync(
    config: Config, wanted: Wanted, progress: Progress, *, verify: bool, patience_s: float = PATIENCE_S
) -> Outcome:
    """Mirror one data set; what goes wrong stands in the outcome, and what was served before is served on.

    `verify` reads every byte that is here, too. The caller holds the folder's lock.
    """
    outcome, started = Outcome(wanted.name), time.monotonic()
    try:
        _Sync(config, wanted, progress, outcome, patience_s).run(verify=verify)
    except NodeError as error:
        outcome.error = error
    except OSError as error:
        outcome.error = NodeError(f"{wanted.name}: {error}")
    outcome.seconds = time.monotonic() - started
    return outcome


class _Sync:
    """One data set in one run."""

    def __init__(self, config: Config, wanted: Wanted, progress: Progress, outcome: Outcome, patience_s: float) -> None:
        self._config, self._wanted, self._progress, self._outcome = config, wanted, progress, outcome
        self._shelf = Shelf(config.folder / wanted.name)
        self._store = Store(config.store, wanted.bucket)
        self._patience_s = patience_s

    def run(self, *, verify: bool) -> None:
        """Top to bottom."""
        self._shelf.clean()
        manifest = self._manifest()
        version, shelf = manifest.version, self._shelf
        self._outcome.version, self._outcome.files, self._outcome.size = version, len(manifest.files), manifest.size
        shelf.drop_incoming(but=version)
        if (shelf.folder / version).is_dir():
            self._mend(manifest, verify=verify)
        else:
            self._bring(manifest)
        shelf.serve(version)

    def _manifest(self) -> Manifest:
        """The wanted version's; from this machine when it is here already. A named version can be served offline."""
        here = self._shelf.manifest(self._wanted.version) if self._wanted.version != LATEST else None
        if here and (self._shelf.folder / here.version).is_dir():
            return here
        pointer = source.resolve(self._store, self._wanted)
        if pointer.sha256 and self._shelf.digest(pointer.version) == pointer.sha256:
            here = self._shelf.manifest(pointer.version)
            if here:
                return here
        manifest, text = source.fetch(self._store, self._wanted, pointer)
        known = self._shelf.manifest(pointer.version)
        if known and known.files != manifest.files and (self._shelf.folder / pointer.version).is_dir():
            raise DamagedError(
                f"{self._wanted.name} {pointer.version} was published again with other files than are served here",
                usually="somebody has replaced a manifest; versions never change",
                next_step="publish under a new version; what was served before is served on.",
            )
        self._shelf.folder.mkdir(parents=True, exist_ok=True)
        self._shelf.note(pointer.version, text)
        return manifest

    def _bring(self, manifest: Manifest) -> None:
        """A version that is not here: put together out of sight, then published by one rename."""
        staging = self._staging(manifest)
        self._fill(staging, manifest, difference(manifest, look(staging)))
        self._exact(staging, difference(manifest, look(staging)))
        left = difference(manifest, look(staging))
        if left:
            raise NodeError(f"{self._wanted.name} {manifest.version} is not whole: {len(left.wrong)} files differ")
        self._shelf.publish(manifest.version)

    def _mend(self, manifest: Manifest, *, verify: bool) -> None:
        """A version that is here: what is not as it should be is fetched aside and replaced, a file at a time."""
        folder = self._shelf.folder / manifest.version
        found = difference(manifest, look(folder))
        if verify:
            bad = rotten(folder, manifest, self._config.connections)
            found = replace(found, wrong=tuple(dict.fromkeys([*found.wrong, *bad])))
        if not found:
            return
        staging = self._staging(manifest)
        staged = difference(manifest, look(staging))
        needed = set(found.wrong) & set(staged.wrong)
        self._fill(staging, manifest, Difference(tuple(needed), (), ()), links=False)
        self._exact(folder, found)
        make_folders(folder, folders_of({path: manifest.files[path] for path in found.wrong}))
        for path in found.wrong:
            (staging / path).replace(folder / path)
        shutil.rmtree(staging)

    def _staging(self, manifest: Manifest) -> Path:
        """Where the version is put together. What lies there since another boot is read again: a power cut lies."""
        staging = self._shelf.incoming(manifest.version)
        if self._shelf.begun_this_boot():
            return staging
        here = difference(manifest, look(staging))
        whole = {path: manifest.files[path] for path in manifest.files.keys() - set(here.wrong)}
        for path in rotten(staging, replace(manifest, files=whole), self._config.connections):
            (staging / path).unlink()
        self._shelf.begin()
        return staging

    def _fill(self, staging: Path, manifest: Manifest, found: Difference, *, links: bool = True) -> None:
        """Bring what is missing: files that did not change from older versions, the others from the store."""
        self._exact(staging, replace(found, wrong=()))
        missing = {path: manifest.files[path] for path in found.wrong}
        make_folders(staging, folders_of(missing))
        if links:
            for path in self._linked(staging, missing):
                del missing[path]
        if not missing:
            return
        self._room(staging, manifest, missing)
        limit = Limit(self._config.bandwidth_bytes_s)
        way = Way(self._store, self._wanted.prefix, limit, self._progress, self._patience_s)
        fetch = Fetch(way, staging, manifest.part_bytes)
        self._progress.begin(self._wanted.name, manifest.version, sum(e.size for e in missing.values()), len(missing))
        try:
            fetch.run(missing, limit.connections(self._config.connections))
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            shutil.rmtree(staging)
            raise NoRoomError(
                f"the disk is full: {self._wanted.name} {manifest.version} did not fit, and what had come was removed",
                usually="something else filled it meanwhile, or datasets.keep_free is too small for this machine",
                next_step="free space and run the same command; what was served before is served on.",
            ) from error
        finally:
            self._progress.end()
        self._outcome.fetched_files = len(missing)
        self._outcome.fetched_bytes = sum(entry.size for entry in missing.values()) - fetch.kept

    def _linked(self, staging: Path, missing: dict[str, Entry]) -> set[str]:
        """Files that another version here has with the same content and time, now hard links to those."""
        done: set[str] = set()
        for version in reversed(self._shelf.versions()):
            other = self._shelf.manifest(version)
            if other is None:
                continue
            folder = self._shelf.folder / version
            for path, entry in missing.items():
                theirs = other.files.get(path)
                if theirs is None or (theirs.digests, theirs.mtime_ns) != (entry.digests, entry.mtime_ns):
                    continue
                with contextlib.suppress(OSError):  # somebody has touched it, or the file system has no links
                    told = (folder / path).lstat()
                    if (told.st_size, told.st_mtime_ns) == (entry.size, entry.mtime_ns):
                        (staging / path).unlink(missing_ok=True)
                        os.link(folder / path, staging / path, follow_symlinks=False)
                        done.add(path)
            missing = {path: entry for path, entry in missing.items() if path not in done}
        self._outcome.linked_files += len(done)
        return done

    def _room(self, staging: Path, manifest: Manifest, missing: dict[str, Entry]) -> None:
        """Evict until what is missing fits above the floor."""
        held = 0
        for path in missing:
            with contextlib.suppress(OSError):
                held += (staging / path).lstat().st_blocks * 512
        need = max(0, sum(-(-entry.size // BLOCK) * BLOCK for entry in missing.values()) - held)
        config = self._config
        going = room.candidates(config.folder, config.sets, {(self._wanted.name, manifest.version)})
        gone = room.make(need, config.keep_free_bytes, going, lambda: room.free_bytes(config.folder))
        self._outcome.evicted += [str(version) for version in gone]

    def _exact(self, folder: Path, found: Difference) -> None:
        """Remove what no manifest names."""
        for path in found.extra:
            (folder / path).unlink()
        for path in found.folders:
            (folder / path).rmdir()
        self._outcome.removed += len(found.extra) + len(found.folders)


def rotten(folder: Path, manifest: Manifest, readers: int) -> list[str]:
    """The files whose bytes are not those of the manifest; their pages do not stay in memory."""

    def bad(item: tuple[str, Entry]) -> str | None:
        path, entry = item
        try:
            descriptor = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return path
        try:
            for part, digest in enumerate(entry.digests):
                start = part * manifest.part_bytes
                length = min(manifest.part_bytes, entry.size - start)
                if digest_of(descriptor, start, length) != digest:
                    return path
                os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
            return None
        finally:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # what lies over two parts, too
            os.close(descriptor)

    with ThreadPoolExecutor(min(readers, os.cpu_count() or 1)) as pool:
        return [path for path in pool.map(bad, manifest.files.items(), chunksize=64) if path]
