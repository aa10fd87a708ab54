"""`exporter replay`: the last minutes as summary, table and charts, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gb10 import flight, replay, ring
from exporters.gb10.charts import chart

if TYPE_CHECKING:
    from pathlib import Path

START = 1795260000.0
LAYOUT = ring.Layout(slots=100)


def moment(second: int) -> flight.Record:
    """A machine that runs out of memory and then loses its GPU."""
    gpus = {"0": {"celsius": 40.0 + second, "hertz": 2.4e9, "ratio": 0.5}} if second < 50 else {}
    values = {"available_bytes": 2.0**30 * (100 - second), "full_seconds": max(0, second - 30) * 0.25}
    return flight.Record(START + second, "boot1", "", values, gpus, simulated=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ring of a minute with a gap of 10 s, whose last write was cut off."""
    data = bytearray(ring.header_bytes(LAYOUT).ljust(LAYOUT.file_bytes, b"\0"))
    seconds = [second for second in range(60) if not 10 <= second < 19]
    for sequence, second in enumerate(seconds):
        slot = ring.slot_bytes(sequence, flight.payload(moment(second), LAYOUT.payload_bytes), LAYOUT)
        data[LAYOUT.offset(sequence) : LAYOUT.offset(sequence) + len(slot)] = slot
    data[LAYOUT.offset(len(seconds)) : LAYOUT.offset(len(seconds)) + 8] = b"half a r"
    path = tmp_path / "flight.ring"
    path.write_bytes(data)
    return path


def shown(*arguments: object) -> str:
    """What the real program prints into a pipe."""
    command = [sys.executable, "-m", "exporters.gb10", "replay", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "80"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def test_the_screen(file: Path) -> None:
    """It says that the machine is simulated, that the end is torn, where samples are missing, and draws what moved."""
    text = shown(file)
    assert f"{file}: simulated: 51 records, 2026-11-21 11:20:00 to 2026-11-21 11:20:59 UTC" in text
    assert "the file's end is torn" in text
    assert "gap: 11:20:09 to 11:20:19 (10 s)" in text
    assert "no orderly end was noted" in text
    assert "GPU 0 temperature, °C" in text
    assert "GPU 0 power" not in text  # nothing is known of it
    lines = text.splitlines()
    heading = next(line for line in lines if line.startswith("time UTC"))
    assert all(len(line) == len(heading) for line in lines if line.startswith("11:20:"))  # the table is aligned
    assert max(map(len, lines[3:])) <= 80
    assert "25.0" in next(line for line in lines if line.startswith("11:20:59"))  # % of the time stalled


def test_only_the_last_seconds(file: Path) -> None:
    """`--last` counts from the last sample; `--json` and `--csv` have every sample of it in base units."""
    found = [json.loads(line) for line in shown(file, "--last=10s", "--json").splitlines()]
    assert [record["time"] for record in found] == [START + second for second in range(50, 60)]
    rows = list(csv.DictReader(io.StringIO(shown(file, "--csv", "--last", "1m"))))
    assert len(rows) == 51
    assert (rows[0]["gpu0_hertz"], rows[0]["available_bytes"], rows[-1]["gpu0_hertz"]) == (
        "2400000000.0", "107374182400.0", "",
    )  # fmt: skip


def test_what_cannot_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file and one of another kind: exit code 1 and the reason; an empty ring is no error."""
    assert replay.main([str(tmp_path / "none")]) == 1
    (tmp_path / "other").write_bytes(b"x" * 5000)
    assert replay.main([str(tmp_path / "other")]) == 1
    assert "not a flight recorder's file" in capsys.readouterr().err
    (tmp_path / "empty").write_bytes(ring.header_bytes(LAYOUT))
    assert replay.main([str(tmp_path / "empty")]) == 0
    assert "no samples" in capsys.readouterr().out


POINTS = st.lists(st.tuples(st.floats(0, 1000), st.floats(-1e12, 1e12)), max_size=50)


@given(POINTS, st.integers(30, 200), st.integers(2, 8))
def test_a_chart_keeps_within_its_width(points: list[tuple[float, float]], width: int, rows: int) -> None:
    """Whatever the values, no line is longer than the terminal is wide, and a value that is there is seen."""
    lines = chart("t", points, (0, 1000), width, rows)
    assert len(lines) == (rows + 3 if points else 0)
    assert all(len(line) <= width for line in lines)
    assert not points or any(character in "▁▂▃▄▅▆▇█" for character in "".join(lines))
