"""Paths of a host → what stands there, as data, and back again. Runs ON the host, as a part of `guard_script`.

Standard library only, Python 3.10 or newer; `guard` puts this text where `guard_script` imports it.
"""

import base64
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Files:
    """The files of the host whose tree begins at `root`; paths are the host's own."""

    def __init__(self, root: Path, undone: Path) -> None:
        """`root` is "/" but for tests; what is put out of the way is kept in the folder `undone`."""
        self.root, self.undone = root, undone

    def at(self, path: str) -> Path:
        """Where a path of the host lies."""
        return self.root / path.lstrip("/")

    def save(self, roots: list[str]) -> dict[str, dict[str, Any]]:
        """What stands at and below the paths, by path, parents first."""
        found = ((path, self._entry(path)) for root in roots for path in self._below(root))
        return {path: entry for path, entry in found if entry}

    def put_back(self, roots: list[str], entries: dict[str, dict[str, Any]]) -> tuple[list[str], list[str]]:
        """Make the paths what they were: (what was changed, what could not be). One that fails stops no other."""
        changed, failed = [], []
        new = [path for root in roots for path in self._below(root) if path not in entries]
        for path, entry in [*((path, {}) for path in new), *entries.items()]:
            try:
                if self._entry(path) != entry:
                    self._make(path, entry)
                    changed.append(path)
            except OSError as error:
                failed.append(f"{path}: {error.strerror}")
        return changed, failed

    def _below(self, path: str) -> Iterator[str]:
        """The path and everything below it, parents first; nothing when it is not there."""
        here = self.at(path)
        if os.path.lexists(here):
            yield path
            if here.is_dir() and not here.is_symlink():
                for name in sorted(entry.name for entry in here.iterdir()):
                    yield from self._below(f"{path}/{name}")

    def _entry(self, path: str) -> dict[str, Any]:
        """What stands at a path; nothing when there is none, or something that no configuration is (a socket)."""
        here = self.at(path)
        try:
            at = here.lstat()
        except FileNotFoundError:
            return {}
        owned = {"mode": stat.S_IMODE(at.st_mode), "uid": at.st_uid, "gid": at.st_gid}
        if stat.S_ISLNK(at.st_mode):
            return {"kind": "link", "target": str(here.readlink())}
        if stat.S_ISDIR(at.st_mode):
            return {"kind": "folder", **owned}
        if stat.S_ISREG(at.st_mode):
            return {"kind": "file", **owned, "content": base64.b64encode(here.read_bytes()).decode()}
        return {}

    def _make(self, path: str, entry: dict[str, Any]) -> None:
        here, kind, now = self.at(path), entry.get("kind"), self._entry(path).get("kind")
        if now is not None and (kind is None or (now != kind and "folder" in {now, kind})):
            self.undone.mkdir(mode=0o700, exist_ok=True)
            shutil.move(here, self.undone / f"{path.lstrip('/').replace('/', '_')}.{time.time_ns()}")
        if kind == "folder":
            here.mkdir(exist_ok=True)
            os.chown(here, entry["uid"], entry["gid"])
            here.chmod(entry["mode"])
        elif kind == "link":
            beside = here.with_name(f".sparkfleet-{here.name}")
            beside.unlink(missing_ok=True)
            beside.symlink_to(entry["target"])
            beside.rename(here)
        elif kind == "file":
            replace(here, base64.b64decode(entry["content"]), entry["mode"], (entry["uid"], entry["gid"]))


def replace(path: Path, content: bytes, mode: int, owner: "tuple[int, int] | None" = None) -> None:
    """Whoever opens the path, also after a power cut, finds the old content or the new."""
    beside = path.with_name(f".sparkfleet-{path.name}")
    beside.unlink(missing_ok=True)  # left by a killed run
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except OSError:
        beside.unlink()
        raise
    beside.rename(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Wait until the names in the folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
