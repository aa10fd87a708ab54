"""The workspace's disk is full in the middle of a conversion: one message, and nothing is lost. Needs root (mount)."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.workloads.label.converting.conftest import Archive

CHANCE = random.Random(7)  # noqa: S311  (what hardly compresses)
ROWS = "".join(f"{CHANCE.getrandbits(256):x},{CHANCE.getrandbits(256):x}\n" for _ in range(20_000)).encode()
MIB = {"while it is copied": 2, "while a worker writes": 3, "while its text is kept": 4}  # a document of 2.6 MiB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """The workspace on a disk of so many MiB; called again, the same one with more."""
    folder, begun = tmp_path / "work", []

    def sized(mib: int) -> None:
        folder.mkdir(exist_ok=True)
        how = f"size={mib}m" + (",remount" if begun else "")
        subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(folder)], check=True)
        begun.append(mib)

    yield sized
    if begun:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.usefixtures("label_environment")
@pytest.mark.parametrize("mib", MIB.values(), ids=MIB)
def test_a_full_disk_is_told_and_costs_nothing(
    archive: Callable[..., Archive], disk: Callable[[int], None], mib: int
) -> None:
    """Whoever meets it, the main process or a worker; with more room the same command does the rest."""
    disk(mib)
    project = archive(workers=1)
    project.put(a__txt=b"The term is 24 months.", rows__csv=ROWS)

    error = project.convert()["error"]
    assert "the disk is full" in error["what"]
    assert "free space and run again" in error["next"]
    assert project.aside() == {}

    disk(64)
    assert project.convert()["report"]["quarantined"] == 0
    assert project.ends() == {"a.txt": 1, "rows.csv": 1}
