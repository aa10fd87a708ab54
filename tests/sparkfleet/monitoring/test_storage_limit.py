"""A disk and what Prometheus holds of it → how much it may keep."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.monitoring import storage_limit
from sparkfleet.monitoring.storage_limit import LEAST_MB, held_bytes, limit_mb

GB = 1 << 30


@pytest.mark.parametrize(
    ("share", "total", "free", "held", "expected_mb"),
    [
        (0.1, 4000 * GB, 3000 * GB, 0, 400 * 1024),
        (0.1, 1000 * GB, 20 * GB, 5 * GB, 15 * 1024),
        (0.1, 1000 * GB, 0, 90 * GB, 90 * 1024),
        (0.1, 1 * GB, 0, 0, LEAST_MB),
    ],
    ids=["the share", "little is free", "nothing is free: no more than now", "never nothing"],
)
def test_the_limit_is_the_share_or_what_the_disk_still_bears(
    share: float, total: int, free: int, held: int, expected_mb: int
) -> None:
    """The share of the file system, unless others have filled it."""
    assert limit_mb(share, total, free, held) == expected_mb


@given(st.floats(0.005, 0.5), st.integers(0, 1 << 44), st.floats(0, 1), st.floats(0, 1))
def test_prometheus_alone_never_fills_the_disk(share: float, total: int, free: float, held: float) -> None:
    """What it may add is at most half of what is free, beside the smallest amount it can live with."""
    free_bytes, held_now = int(total * free), int(total * (1 - free) * held)

    allowed = limit_mb(share, total, free_bytes, held_now) << 20

    assert allowed <= max(held_now + free_bytes / 2, LEAST_MB << 20)
    assert allowed <= max(share * total, LEAST_MB << 20)


def test_what_is_held_is_what_the_disk_gave(tmp_path: Path) -> None:
    """Blocks count, not lengths: Prometheus' log is written into sparse files."""
    (tmp_path / "wal").mkdir()
    with (tmp_path / "wal/00000001").open("wb") as sparse:
        sparse.truncate(128 << 20)
    (tmp_path / "chunk").write_bytes(b"x" * (1 << 20))

    assert 1 << 20 <= held_bytes(tmp_path) < 2 << 20


def test_it_runs_alone_and_writes_what_its_unit_reads(tmp_path: Path) -> None:
    """The very command of the unit, with nothing but the standard library, on a real file system."""
    out = tmp_path / "limit"

    command = [sys.executable, "-I", "-S", storage_limit.__file__, "0.1", str(tmp_path), str(out)]
    subprocess.run(command, check=True, timeout=20)

    assert re.fullmatch(r"RETENTION_SIZE=\d+MB\n", out.read_text())
    drop_in = Path(storage_limit.__file__).parents[2] / "templates/etc/systemd/system/prometheus.service.d"
    assert "${RETENTION_SIZE}" in (drop_in / "50-sparkfleet.conf.j2").read_text()
