"""The flight recorder on real files: killed, on a full disk, on a hung one, after a crash of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily

from exporters.gb10 import flight, recorder, ring
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 20.0
LAYOUT = ring.Layout(slots=20)
WRITER = """
import sys, time
from pathlib import Path
from exporters.gb10 import flight, recorder
take = lambda: flight.Record(time.time(), "boot1")
found = recorder.Recorder(Path(sys.argv[1]), take, "boot1", interval_s=0.001)
found.start()
time.sleep(60)
"""


def records(path: Path) -> list[flight.Record]:
    """What a ring holds."""
    return [flight.parsed(payload) for _, payload in ring.contents(path.read_bytes()).records]


def has_record(path: Path, sequence: int) -> bool:
    """Whether the ring has come so far."""
    return ring.contents(path.read_bytes()).records[-1:] >= ((sequence, b""),)


def running(path: Path, boot: str = "b1", interval_s: float = 0.002) -> recorder.Recorder:
    """A recorder at work."""
    found = recorder.Recorder(path, lambda: flight.Record(time.time(), boot), boot, interval_s, LAYOUT)
    found.start()
    return found


def write(path: Path, boot: str, times: list[float], *, stop: bool = False) -> None:
    """A ring as an exporter of that boot leaves it."""
    file = recorder.RingFile(path, LAYOUT, boot)
    for when in times:
        file.append(flight.payload(flight.Record(when, boot), LAYOUT.payload_bytes))
    if stop:
        file.append(flight.payload(flight.Record(times[-1], boot, flight.STOP), LAYOUT.payload_bytes))
    file.close()


def test_it_writes_and_notes_an_orderly_end(tmp_path: Path) -> None:
    """The file has one size from the start; stop() is the last record; nothing is lost."""
    path = tmp_path / "flight.ring"
    found = running(path)
    until(lambda: found.counts.written > 30, "thirty records")
    assert path.stat().st_size == LAYOUT.file_bytes
    found.stop()
    assert records(path)[-1].event == flight.STOP
    assert found.counts.lost == 0
    assert found.counts.last_write is not None


def test_a_killed_writer_leaves_a_readable_ring(tmp_path: Path) -> None:
    """Ten times kill -9 in the middle of writing: every record is whole, none is missing, and the next one goes on."""
    path = tmp_path / "flight.ring"
    newest = -1
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        until(path.exists, "the ring")
        until(partial(has_record, path, newest + 5), "five more records")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(DEADLINE_S)
        found = ring.contents(path.read_bytes())
        assert found.torn == 0  # the kernel finishes a write that it has begun
        assert [s for s, _ in found.records] == list(range(found.records[0][0], found.records[-1][0] + 1))
        newest = found.records[-1][0]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(5, "Input/output error")])
def test_a_disk_that_refuses_costs_records_and_nothing_else(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost records are counted; when the disk takes writes again, they are written again."""
    monkeypatch.setattr(recorder, "RETRY_S", 0.0)
    good = os.pwrite

    def refuse(*_: object) -> int:
        raise error

    found = running(tmp_path / "flight.ring")
    until(lambda: found.counts.written, "a record")
    monkeypatch.setattr(os, "pwrite", refuse)
    until(lambda: found.counts.lost > 3, "lost records")
    written = found.counts.written
    monkeypatch.setattr(os, "pwrite", good)
    until(lambda: found.counts.written > written, "another record")
    found.stop()


def test_a_full_disk_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """No file can be made: every record is counted as lost, the process goes on and ends in time."""
    found = running(tmp_path / "missing/flight.ring")
    until(lambda: found.counts.lost > 5, "lost records")
    assert found.counts.written == 0
    started = time.monotonic()
    found.stop()
    assert time.monotonic() - started < 2
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); {WRITER}".replace(
        "time.sleep(60)", "time.sleep(0.5); print(found.counts.lost > 0, found.counts.written)"
    )
    path = tmp_path / "flight.ring"
    done = subprocess.run([sys.executable, "-c", limit, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout == "True 0\n"
    assert not path.exists()  # half a ring would be worse than none


def test_a_disk_that_hangs_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While fdatasync hangs, records are taken on, what does not fit into the queue is lost, stop() comes back."""
    held = []
    good = os.fdatasync

    def hang(fd: int) -> None:
        held.append(fd)
        until(lambda: not held, "the disk")
        good(fd)

    monkeypatch.setattr(os, "fdatasync", hang)
    found = running(tmp_path / "flight.ring", interval_s=0.001)
    until(lambda: held, "a disk that hangs")
    until(lambda: found.counts.lost > 5, "lost records")
    started = time.monotonic()
    found.stop()
    assert time.monotonic() - started < 2
    monkeypatch.setattr(os, "fdatasync", good)
    held.clear()
    until(lambda: found.counts.written >= recorder.QUEUED, "what was queued")


def test_what_a_crash_left_is_kept(tmp_path: Path) -> None:
    """After a boot without an orderly end its ring is kept; a crash within minutes after it does not replace it."""
    path = tmp_path / "flight.ring"
    kept = recorder.previous(path)
    write(path, "b1", [1000.0, 1001.0])
    write(path, "b2", [2000.0])
    assert [record.boot for record in records(kept)] == ["b1", "b1"]
    write(path, "b3", [2060.0])
    assert [record.boot for record in records(kept)] == ["b1", "b1"]
    assert [record.boot for record in records(path)] == ["b2", "b3"]
    write(path, "b3", [2400.0])
    write(path, "b4", [3000.0], stop=True)
    assert [record.boot for record in records(kept)] == ["b2", "b3", "b3"]
    write(path, "b5", [4000.0])
    assert [record.boot for record in records(path)] == ["b4", "b4", "b5"]


@pytest.mark.parametrize(
    "left", [b"", b"something else", ring.header_bytes(ring.Layout(slots=3)), b"\0" * LAYOUT.file_bytes]
)
def test_a_file_that_is_no_ring_of_ours_is_moved_aside(left: bytes, tmp_path: Path) -> None:
    """Its bytes are kept under another name, and a new ring is begun."""
    path = tmp_path / "flight.ring"
    path.write_bytes(left)
    write(path, "b1", [1.0])
    (kept,) = (other for other in tmp_path.iterdir() if other != path)
    assert kept.read_bytes() == left
    assert len(records(path)) == 1


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    """The second gets an error instead of the ring."""
    first = recorder.RingFile(tmp_path / "flight.ring", LAYOUT, "b1")
    with pytest.raises(OSError, match="temporarily unavailable"):
        recorder.RingFile(tmp_path / "flight.ring", LAYOUT, "b1")
    first.close()


VALUES = st.floats(0, 1e15)


@given(st.lists(VALUES, max_size=20), VALUES)
def test_a_record_fits_and_comes_back(watts: list[float], heat: float) -> None:
    """However many GPUs there are, the record fits its slot; the first GPUs are in it, to four digits."""
    power = GaugeMetricFamily("sparkfleet_gb10_gpu_power_watts", "P.", labels=["gpu"])
    zones = GaugeMetricFamily("sparkfleet_gb10_thermal_zone_celsius", "T.", labels=["zone"])
    for gpu, value in enumerate(watts):
        power.add_metric([str(gpu)], value)
    for zone in range(2):
        zones.add_metric([str(zone)], heat / (1 + zone))
    record = flight.record([power, zones], 1234.5678, "b1")
    payload = flight.payload(record, 200)
    assert len(payload) <= 200
    found = flight.parsed(payload)
    assert (found.time, found.boot) == (1234.568, "b1")
    assert found.values["hottest_celsius"] == pytest.approx(heat, abs=1e-4)
    assert all(found.gpus[gpu]["watts"] == pytest.approx(watts[int(gpu)], abs=1e-4) for gpu in found.gpus)
    assert list(found.gpus) == [str(gpu) for gpu in range(len(found.gpus))]
