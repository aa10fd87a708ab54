"""A scenario's full disk is a real one, and goes with the scenario."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lab.gb10 import disk
from lab.gb10.statements import Fill, statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder from which everything is unmounted in the end."""
    yield tmp_path
    disk.ensure(tmp_path, [], 0)
    assert disk.mounts(tmp_path) == []


def used(place: Path) -> float:
    """The used share, as the exporter sees it."""
    told = os.statvfs(place)
    return 1 - told.f_bavail / told.f_blocks


def test_a_disk_fills_with_time(folder: Path) -> None:
    """The share in use is the scenario's at each age, up and down, and another scenario takes the disk away."""
    fills = statements("fill data 16 ramp 50 90 10\n").fills
    assert fills == [Fill("data", 16, "ramp 50 90 10")]
    for age_s, share in ((0, 0.5), (10, 0.9), (5, 0.7)):
        disk.ensure(folder, fills, age_s)
        assert used(folder / "data") == pytest.approx(share, abs=0.02)
    disk.ensure(folder, [], 0)
    assert not (folder / "data").exists()
