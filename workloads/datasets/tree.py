"""A folder on disk → what lies in it; a manifest beside that → what is right, wrong and too much."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.datasets.manifest import Entry, Manifest


@dataclass(frozen=True, slots=True)
class Found:
    """One name in a folder. `regular` is false for a link, a socket and the like: those are never ours."""

    size: int
    mtime_ns: int
    regular: bool = True

    def fits(self, entry: Entry) -> bool:
        """Whether it is the entry's file, unless somebody has forged its time: files get it once they are checked."""
        return self.regular and self.size == entry.size and self.mtime_ns == entry.mtime_ns


@dataclass(frozen=True)
class Tree:
    """All names below a folder, by their paths in it."""

    files: dict[str, Found]
    folders: set[str]


def look(folder: Path) -> Tree:
    """Walk a folder, following no link; an absent one is empty."""
    files: dict[str, Found] = {}
    folders: set[str] = set()
    left = [""]
    while left:
        inside = left.pop()
        try:
            entries = os.scandir(folder / inside)
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                path = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.add(path)
                    left.append(path)
                else:
                    told = entry.stat(follow_symlinks=False)
                    files[path] = Found(told.st_size, told.st_mtime_ns, stat.S_ISREG(told.st_mode))
    return Tree(files, folders)


@dataclass(frozen=True)
class Difference:
    """What separates a tree from its manifest. `folders` are those that hold nothing of it, the deepest first."""

    wrong: tuple[str, ...]
    extra: tuple[str, ...]
    folders: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.wrong or self.extra or self.folders)


def difference(manifest: Manifest, tree: Tree) -> Difference:
    """Pure: `wrong` is missing or not as it should be, `extra` is in nobody's manifest."""
    wanted = manifest.files
    wrong = [path for path, entry in wanted.items() if not (path in tree.files and tree.files[path].fits(entry))]
    extra = [path for path in tree.files if path not in wanted]
    holding = folders_of(wanted)
    empty = sorted(tree.folders - holding, key=lambda path: (-path.count("/"), path))
    return Difference(tuple(wrong), tuple(extra), tuple(empty))


def folders_of(paths: dict[str, Entry]) -> set[str]:
    """Every folder that these files lie in."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
