"""A scenario's files and links → files on disk, each written whole; what the last scenario had and this one lacks goes.

FOLDER/sys/class/thermal/thermal_zone0/temp and so on. Simulated.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab.gb10.moving import is_moving, text_at
from lab.gb10.statements import TREES, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.gb10.statements import Statements


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One writer at a time: a player in the middle of a scenario must not write it over the next one."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".writer").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tree(text: str, name: str = "sys") -> dict[str, str]:
    """The files of one tree that a scenario's text describes, at its start: path below it → content."""
    files = statements(text).files
    return {path.removeprefix(f"{name}/"): text_at(files[path], 0) for path in files if path.startswith(f"{name}/")}


def replace(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `path` whole by rename, so that a reader never sees half a file; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write(wanted: Statements, folder: Path, age_s: float = 0.0) -> None:
    """Make `folder`'s trees just those of the scenario at this age: what is not in it is removed."""
    for path, to in wanted.links.items():
        link(folder / path, to)
    for path, content in wanted.files.items():
        replace(folder / path, text_at(content, age_s) + "\n")
    known = {folder / path for path in (*wanted.files, *wanted.links)}
    for name in TREES:
        remove_others(folder / name, known)
        (folder / name).mkdir(parents=True, exist_ok=True)


def write_moving(wanted: Statements, folder: Path, age_s: float, written: dict[str, str]) -> None:
    """Write again the files that move and have moved since; `written` remembers what each has."""
    for path, content in wanted.files.items():
        if is_moving(content) and (text := text_at(content, age_s)) != written.get(path):
            replace(folder / path, text + "\n")
            written[path] = text


def link(path: Path, to: str) -> None:
    """A symbolic link; one that is right already stays."""
    if path.is_symlink() and str(path.readlink()) == to:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    path.symlink_to(to)


def remove_others(tree_folder: Path, known: set[Path]) -> None:
    """Everything below a tree that the scenario does not have, folders that become empty included."""
    for where, folders, files in os.walk(tree_folder, topdown=False):
        for name in (*files, *folders):
            path = Path(where) / name
            if path in known or name.startswith("."):  # half-written by somebody else
                continue
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                with contextlib.suppress(OSError):  # not empty
                    path.rmdir()
