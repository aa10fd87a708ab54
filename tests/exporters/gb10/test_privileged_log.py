"""The root oneshot on the kernel log: what it counts, what it does not, and that a burst costs records, not memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.gb10 import privileged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOOT_ID = "5140b007-0000-4000-8000-00000000000"
BTIME = 1784102400
GSP = "NVRM: Xid (PCI:000f:01:00): 119, Timeout after 6s of waiting for RPC response from GPU0 GSP!"
NO_MEMORY = (
    "NVRM: nvCheckOkFailedNoLog: Check failed: Out of memory [NV_ERR_NO_MEMORY] (0x00000051) returned from "
    "_memdescAllocInternal(pMemDesc) @ mem_desc.c:1359"
)
INSUFFICIENT = (
    "mlx5_core 0000:01:00.0: mlx5_pcie_event:301:(pid 9): Detected insufficient power on the PCIe slot (27W)."
)


def record(sequence: int, message: str, seconds: float = 1.0, priority: int = 3) -> str:
    """One record as /dev/kmsg gives it."""
    return f"{priority},{sequence},{int(seconds * 1e6)},-;{message}\n SUBSYSTEM=pci\n"


class Oneshot:
    """The oneshot on a folder with a fake /proc and a kernel log in a plain file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "kmsg"
        (folder / "state").mkdir()
        (folder / "proc/sys/kernel/random").mkdir(parents=True)
        (folder / "proc/stat").write_text(f"cpu 1 2\nbtime {BTIME}\n")
        self.boot(1)
        self.log.touch()

    def boot(self, number: int) -> None:
        """Be in this boot."""
        (self.folder / "proc/sys/kernel/random/boot_id").write_text(f"{BOOT_ID}{number}\n")

    @property
    def flags(self) -> list[str]:
        """Where all is."""
        names = {"kmsg": "kmsg", "procfs": "proc", "sysfs": "sys", "state": "state", "out": "out.json"}
        return [f"--{flag}={self.folder / name}" for flag, name in names.items()]

    def run(self) -> dict[str, Any]:
        """One run in this process; what it handed over."""
        privileged.main(self.flags)
        return dict(json.loads((self.folder / "out.json").read_text()))

    def append(self, *records: str) -> None:
        """More of the kernel log."""
        with self.log.open("a") as log:
            log.write("".join(records))


@pytest.fixture
def oneshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Oneshot:
    """On a machine without any tool."""
    monkeypatch.setenv("PATH", "/nonexistent")
    return Oneshot(tmp_path)


def test_messages_of_the_driver_are_counted_with_their_times(oneshot: Oneshot) -> None:
    """XIDs by number and lines of NV_ERR_NO_MEMORY; times by the clock on the wall, the last one counts."""
    oneshot.append(record(0, GSP, 10.5), record(1, GSP, 70.25), record(2, NO_MEMORY, 71), record(3, INSUFFICIENT, 72))
    oneshot.append(record(4, GSP.replace("119", "79").replace("PCI:", ""), 73))  # as older drivers write it
    log = oneshot.run()["kernel_log"]
    assert log["xid"] == {"119": {"count": 2, "last": BTIME + 70.25}, "79": {"count": 1, "last": BTIME + 73}}
    assert log["out_of_memory"] == {"count": 1, "last": BTIME + 71}
    assert log["lost_records"] == 0


def test_a_record_is_counted_once(oneshot: Oneshot) -> None:
    """Over runs, when the file grows, and when it is replaced by a longer copy of itself."""
    oneshot.append(record(0, GSP))
    assert oneshot.run()["kernel_log"]["xid"]["119"]["count"] == 1
    assert oneshot.run()["kernel_log"]["xid"]["119"]["count"] == 1
    longer = oneshot.folder / "longer"
    longer.write_text(oneshot.log.read_text() + record(1, GSP))
    longer.replace(oneshot.log)
    assert oneshot.run()["kernel_log"]["xid"]["119"]["count"] == 2


def test_a_log_that_forgets_its_older_half_goes_on(oneshot: Oneshot) -> None:
    """As the lab's does when it grows: what is left of it was counted before, by its numbers."""
    oneshot.append(*(record(number, GSP) for number in range(10)))
    oneshot.run()
    oneshot.log.write_text("".join(record(number, GSP) for number in range(5, 12)))
    log = oneshot.run()["kernel_log"]
    assert (log["xid"]["119"]["count"], log["lost_records"]) == (12, 0)


def test_half_a_record_waits_for_the_rest(oneshot: Oneshot) -> None:
    """A reader that comes amid a write counts the record later, not twice and not never."""
    text = record(0, GSP)
    oneshot.append(text[:30])
    assert oneshot.run()["kernel_log"]["xid"] == {}
    oneshot.append(text[30:])
    assert oneshot.run()["kernel_log"]["xid"]["119"]["count"] == 1


def test_another_log_is_read_from_its_start(oneshot: Oneshot) -> None:
    """Truncated and begun anew, even grown past the old place: nothing of it was counted before, nothing is lost."""
    oneshot.append(*(record(number, "usb 1-1: new device") for number in range(500, 520)))
    oneshot.run()
    oneshot.log.write_text("".join(record(number, GSP) for number in range(100)))
    log = oneshot.run()["kernel_log"]
    assert (log["xid"]["119"]["count"], log["lost_records"]) == (100, 0)


def test_what_a_program_writes_is_not_believed(oneshot: Oneshot) -> None:
    """The kernel marks records of /dev/kmsg's writers with a facility of theirs."""
    oneshot.append(record(0, GSP, priority=11), record(1, f"audit: {GSP}"))
    assert oneshot.run()["kernel_log"]["xid"] == {}


def test_gaps_are_counted(oneshot: Oneshot) -> None:
    """Sequence numbers that are missing are records that were overwritten."""
    oneshot.append(record(7, "first ever seen"), record(10, "two lost"))
    assert oneshot.run()["kernel_log"]["lost_records"] == 2
    oneshot.append(record(110, "99 lost"))
    assert oneshot.run()["kernel_log"]["lost_records"] == 101


def test_counts_go_over_boots(oneshot: Oneshot) -> None:
    """A counter that starts again at each boot would hide what led to it."""
    oneshot.append(record(0, GSP))
    oneshot.run()
    oneshot.boot(2)
    oneshot.log.write_text(record(0, "Booting Linux") + record(1, GSP, 2))
    assert oneshot.run()["kernel_log"]["xid"]["119"] == {"count": 2, "last": BTIME + 2}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([GSP.encode(), b"3,5,6,-;" + GSP.encode()]), max_size=12))
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """No content of the log is a crash, and none but a whole record is an XID."""
    oneshot = Oneshot(tmp_path_factory.mktemp("any"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/nonexistent")
        oneshot.log.write_bytes(b"\n".join(lines) + b"\n")
        found = oneshot.run()["kernel_log"]["xid"]
    assert found.get("119", {"count": 0})["count"] == any(line.startswith(b"3,5,6,-;NVRM") for line in lines)


def test_a_burst_of_200_megabytes_costs_neither_memory_nor_the_count(oneshot: Oneshot) -> None:
    """Only what a large ring would still hold is read; the rest is counted as lost, and the first and last are seen."""
    oneshot.append(record(0, "before"))
    oneshot.run()
    filler = b"NVRM: " + b"x" * 994
    with oneshot.log.open("ab") as log:
        for first in range(1, 200_001, 1000):
            log.write(b"".join(b"3,%d,%d,-;%s\n" % (number, number, filler) for number in range(first, first + 1000)))
    oneshot.append(record(200_001, GSP))
    assert oneshot.log.stat().st_size > 200e6
    script = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({64 << 20},) * 2); import runpy, sys\n"
    script += f"sys.argv[1:] = {oneshot.flags!r}; runpy.run_path({privileged.__file__!r}, run_name='__main__')"
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began < 2
    log = json.loads((oneshot.folder / "out.json").read_text())["kernel_log"]
    read = (privileged.FILE_MAX + privileged.CHUNK) // 1000
    assert log["xid"]["119"]["count"] == 1
    assert 200_000 - read - 200 < log["lost_records"] < 200_000 - read + 200


def test_an_overwritten_ring_goes_on_behind_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPIPE, the kernel's word for it, ends nothing; the end of the ring (EAGAIN) ends the run."""
    answers: Iterator[bytes | Exception] = iter(
        [record(4, GSP).encode(), BrokenPipeError(), record(9, GSP).encode(), BlockingIOError()]
    )

    def read(_handle: int, _size: int) -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    log: dict[str, Any] = {"xid": {}, "out_of_memory": {"count": 0}, "lost_records": 0, "next": None}
    monkeypatch.setattr(os, "read", read)
    privileged.read_kernel_log("/dev/null", log, "boot", BTIME)
    assert (log["xid"]["119"]["count"], log["lost_records"], log["next"]) == (2, 4, 10)


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="the kernel log is root's")
def test_the_real_kernel_log_is_read(oneshot: Oneshot) -> None:
    """To its end, in a moment, and the second run finds nothing lost but what came between."""
    flags = [flag for flag in oneshot.flags if "kmsg" not in flag and "procfs" not in flag]
    privileged.main(flags)
    state = json.loads((oneshot.folder / "state/state.json").read_text())["kernel_log"]
    started = time.thread_time()
    privileged.main(flags)
    assert time.thread_time() - started < 0.5
    again = json.loads((oneshot.folder / "state/state.json").read_text())["kernel_log"]
    assert state["next"] > 0
    assert again["next"] >= state["next"]
    assert again["lost_records"] == 0


def test_a_log_that_cannot_be_read_is_an_error_and_nothing_more(oneshot: Oneshot) -> None:
    """The part is missing, its error named, the other parts are there."""
    oneshot.log.unlink()
    told = oneshot.run()
    assert "kernel_log" not in told
    assert "No such file" in told["errors"]["kernel_log"]
    assert told["nvme"] == {}
