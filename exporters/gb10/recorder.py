"""A flight record each second → the disk, at once, so that the last minutes before a power cut can be read.

Two threads: one takes records, one writes each and waits until the disk has it (fdatasync). Between them is a bounded
queue: while the disk hangs, sampling and scrapes go on, and what no longer fits is counted as lost.
It costs the disk one block a second: 0.35 GB a day, a ten-thousandth of what a data-centre NVMe drive is rated for.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.gb10 import flight, ring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

QUEUED = 60  # records that wait for a slow disk
RETRY_S = 10.0
SHORT_S = 300.0  # a boot that crashed sooner than this does not replace what is kept of the crash before it
STOP_S = 0.5


@dataclass(slots=True)
class Counts:
    """What the recorder did since it started."""

    written: int = 0
    lost: int = 0
    last_write: float | None = None  # seconds since 1970


class Recorder:
    """Records what `take` gives, every `interval_s`, into the ring at `path`."""

    def __init__(
        self,
        path: Path,
        take: Callable[[], flight.Record],
        boot: str,
        interval_s: float = 1.0,
        layout: ring.Layout | None = None,
    ) -> None:
        self._path, self._take, self._boot, self._interval_s = path, take, boot, interval_s
        self._layout = layout or ring.Layout()
        self._queue: queue.Queue[flight.Record] = queue.Queue(QUEUED)
        self._stop, self._stopped = threading.Event(), threading.Event()
        self._failed_at: float | None = None
        self.counts = Counts()

    def start(self) -> None:
        """Begin, in two threads that end with the process."""
        threading.Thread(target=self._sample, name="flight-sample", daemon=True).start()
        threading.Thread(target=self._write, name="flight-write", daemon=True).start()

    def stop(self) -> None:
        """Note that the end was orderly; a disk that hangs is not waited for."""
        self._stop.set()
        self._put(flight.Record(round(time.time(), 3), self._boot, flight.STOP))
        self._stopped.wait(STOP_S)

    def _sample(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._put(self._take())

    def _put(self, record: flight.Record) -> None:
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.counts.lost += 1

    def _write(self) -> None:
        file: RingFile | None = None
        while not self._stopped.is_set():
            record = self._queue.get()
            try:
                if file is None and not self._rests():
                    file = RingFile(self._path, self._layout, self._boot)
                if file:
                    file.append(flight.payload(record, self._layout.payload_bytes))
            except OSError as error:
                self._fail(error)
                if file:
                    file.close()
                file = None
            if file:
                self.counts.written += 1
                self.counts.last_write = time.time()
            else:
                self.counts.lost += 1
            if record.event == flight.STOP:
                self._stopped.set()

    def _rests(self) -> bool:
        """Whether the last failure is too fresh to try again."""
        return self._failed_at is not None and time.monotonic() - self._failed_at < RETRY_S

    def _fail(self, error: OSError) -> None:
        if self._failed_at is None:
            log.warning("the flight recorder does not write: %s", error)
        self._failed_at = time.monotonic()


class RingFile:
    """The ring on the disk, open for one writer."""

    def __init__(self, path: Path, layout: ring.Layout, boot: str) -> None:
        """Go on in the ring that is there, or make one; OSError when the disk or another writer does not let us."""
        self._layout = layout
        try:
            found = ring.contents(path.read_bytes())
            records = [flight.parsed(payload) for _, payload in found.records]
            if found.layout != layout:
                raise ring.RingError(f"it has {found.layout}, and {layout} is wanted")
        except FileNotFoundError:
            create(path, layout)
            found, records = ring.Contents(layout), []
        except ValueError as error:  # a RingError is one
            log.warning("%s is moved aside: %s", path, error)
            path.rename(aside(path))
            create(path, layout)
            found, records = ring.Contents(layout), []
        if is_evidence(records, boot, previous_exists=previous(path).exists()):
            path.rename(previous(path))
            log.info("the last boot ended without a shutdown; its last minutes are in %s", previous(path))
            create(path, layout)
            found = ring.Contents(layout)
        self._next = found.records[-1][0] + 1 if found.records else 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise

    def append(self, payload: bytes) -> None:
        """One more record, on the disk when this returns."""
        slot = ring.slot_bytes(self._next, payload, self._layout)
        if os.pwrite(self._fd, slot, self._layout.offset(self._next)) != len(slot):
            raise OSError("the disk took a part of a record")
        os.fdatasync(self._fd)
        self._next += 1

    def close(self) -> None:
        """Let another write."""
        os.close(self._fd)


def previous(path: Path) -> Path:
    """Where the ring of a boot that ended without a shutdown is kept."""
    return path.with_name(path.name + ".previous")


def aside(path: Path) -> Path:
    """Where a file that is no ring of ours is kept."""
    return path.with_name(f"{path.name}.{int(time.time())}")


def is_evidence(records: Sequence[flight.Record], boot: str, *, previous_exists: bool) -> bool:
    """Whether a ring's records, of another boot that ended without a shutdown, are kept rather than overwritten.

    A machine that crashes again within minutes goes on in its ring: the crash that began it all stays in the other.
    """
    if not records or records[-1].event == flight.STOP or records[-1].boot == boot:
        return False
    span_s = records[-1].time - records[0].time
    return not previous_exists or span_s >= SHORT_S


def create(path: Path, layout: ring.Layout) -> None:
    """An empty ring with all its room on the disk, there as a whole or not at all."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, layout.file_bytes)
        file.write(ring.header_bytes(layout))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
