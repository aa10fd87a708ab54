"""A version of a project's records in the store → an empty workspace, all of it or none.

They come into a folder beside, each checked by its digest; one rename puts it into its place.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.errors import DISK_FULL, ConfigError, DamagedError, NoRoomError, StoreError, printable
from workloads.label.keeping import keep, record
from workloads.label.keeping.record import Kept
from workloads.label.keeping.table import STATE
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.datasets.config import Wanted
    from workloads.datasets.manifest import Manifest
    from workloads.datasets.source import Pointer
    from workloads.datasets.store import Store
    from workloads.label.flow import Place

HOST = re.compile(r"[a-z][a-z0-9-]{0,62}")
THERE_ANYWAY = {"lock", "recurring", STATE}  # of this machine, whatever became of the project
MODE = 0o644


@dataclass(frozen=True)
class Restored:
    """What came."""

    version: str
    kept_at: str
    host: str
    files: int
    size_bytes: int


def restore(at: Place, host: str = "", version: str = "") -> Restored:
    """Bring the newest version, or the one that is named, of this host or another.

    Raises ConfigError where the workspace is not empty, or `host` is no name; LockedError; StoreError where nothing was
    kept, or may not be read; DamagedError for what is not as it was kept; NoRoomError. Then nothing has changed here.
    """
    from workloads.datasets import source
    from workloads.datasets.config import version_name

    place = keep.described(at)
    if host and not HOST.fullmatch(host):
        raise ConfigError(f"{printable(host)!r} is no host's name")
    store, wanted = keep.opened(place, at.params.name, host)
    with at.work.locked("restore"):
        _refuse_filled(at.work.folder)
        newest = _newest(store, wanted)
        pointer = source.Pointer(version_name(version), "") if version else newest
        beside = at.site.workspace / f".restore-{at.params.name}"  # no project is called so
        shutil.rmtree(beside, ignore_errors=True)
        try:
            manifest = source.fetch(store, wanted, pointer)[0]
            _bring(store, wanted, manifest, beside)
            if host in {"", place.host}:
                _go_on(beside, at.params.name, manifest, newest.version)
            _put_in_place(beside, at.work.folder)
        except DamagedError as error:
            raise _damaged(store, wanted, pointer.version, error) from None
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise NoRoomError("the disk is full: nothing was restored", next_step="free space and run again.") from None
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return Restored(manifest.version, manifest.created, host or place.host, len(manifest.files), manifest.size)


def _refuse_filled(folder: Path) -> None:
    found = sorted(each.name for each in folder.iterdir() if each.name not in THERE_ANYWAY)
    if found:
        raise ConfigError(
            f"{folder} is not empty: {printable(', '.join(found), 100)}",
            next_step="move the folder away first: what is restored is not mixed with what is there.",
        )


def _newest(store: Store, wanted: Wanted) -> Pointer:
    from workloads.datasets.publish import latest

    pointer = latest(store, wanted)
    if pointer is None:
        raise StoreError(
            f"no records of {wanted.name} are kept in bucket {wanted.bucket} below {wanted.prefix}",
            usually="they were kept under another host's name, or never",
            next_step="name the host with --from.",
        )
    return pointer


def _bring(store: Store, wanted: Wanted, manifest: Manifest, into: Path) -> None:
    from workloads.datasets.fetch import Fetch, Way, make_folders
    from workloads.datasets.limit import Limit
    from workloads.datasets.pagecache import flushed_filesystem
    from workloads.datasets.progress import Progress
    from workloads.datasets.tree import folders_of

    into.mkdir(mode=0o755, parents=True)
    make_folders(into, folders_of(manifest.files))
    way = Way(store, wanted.prefix, Limit(None), Progress())
    Fetch(way, into, manifest.part_bytes).run(manifest.files, keep.CONNECTIONS)
    for path in manifest.files:
        (into / path).chmod(MODE)  # the stages go on writing to them
    flushed_filesystem(into)


def _damaged(store: Store, wanted: Wanted, version: str, error: DamagedError) -> DamagedError:
    """What was found, with an older version that may be whole."""
    older = [each for each in versions(store, wanted) if each < version]
    return DamagedError(
        f"{error.what}; nothing was restored",
        usually=error.usually,
        next_step=f"an older one may be whole: --version {older[-1]}." if older else "there is no older one.",
    )


def versions(store: Store, wanted: Wanted) -> list[str]:
    """Those that are whole, the oldest first."""
    return sorted(name.removesuffix(".json") for name in store.names(f"{wanted.prefix}/manifests"))


def _go_on(beside: Path, project: str, manifest: Manifest, newest: str) -> None:
    """What is kept next comes after the newest version, also where an older one was wanted."""
    told = Kept(
        project=project, since=dt.datetime.now(dt.UTC), kept_at=dt.datetime.fromisoformat(manifest.created),
        version=manifest.version, trying=newest, files=len(manifest.files), size_bytes=manifest.size,
    )  # fmt: skip
    record.write(Workspace(beside), told)


def _put_in_place(beside: Path, folder: Path) -> None:
    """What there is anyway comes along. A kill in between leaves no workspace at all: restoring begins anew."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copytree(folder / "recurring", beside / "recurring")
    gone = beside.with_name(f"{beside.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    beside.rename(folder)
    shutil.rmtree(gone)
