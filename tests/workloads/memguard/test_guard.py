"""The guard as its unit runs it: real files and a real fadvise; figures and switches of a folder (simulated)."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from exporters.gb10.readings.textfile import textfile
from tests.waiting import until
from workloads.memguard import evict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.memguard.conftest import Host

SIZE = 8 << 20


def cached_pages(file: Path) -> int:
    """How many pages of a file are in the page cache, as mincore(2) says."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE) as area:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        at = libc.mmap(
            None, ctypes.c_size_t(len(area)), mmap.PROT_READ, mmap.MAP_SHARED, opened.fileno(), ctypes.c_long()
        )
        states = (ctypes.c_ubyte * (len(area) // mmap.PAGESIZE))()
        assert libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(len(area)), states) == 0
        libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(len(area)))
        return sum(state & 1 for state in states)


def in_cache(file: Path) -> Path:
    """A file of which every page is cached, some of them not written back yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(os.urandom(SIZE))
    assert cached_pages(file) == SIZE // mmap.PAGESIZE
    return file


def test_the_named_files_leave_the_page_cache_whole(tmp_path: Path) -> None:
    """Files and all files below a folder, dirty pages too; a neighbour that nobody named stays."""
    one, two, other = (in_cache(tmp_path / name) for name in ("one", "folder/below/two", "other"))

    done = evict.fadvise([str(one), str(tmp_path / "folder")])

    assert (done.files, done.faults) == (2, 0)
    assert [cached_pages(one), cached_pages(two)] == [0, 0]
    assert cached_pages(other) == SIZE // mmap.PAGESIZE


def test_what_is_no_plain_file_is_told_and_left(tmp_path: Path) -> None:
    """A link, a pipe, a name that is none: nothing is opened through them, nothing waits, the rest goes on."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    names = [str(tmp_path / name) for name in ("pipe", "link", "none")]

    done = evict.fadvise([*names, str(in_cache(tmp_path / "one"))])

    assert (done.files, done.faults) == (1, 3)
    assert done.first_fault.endswith("pipe: is no regular file")


def test_described_folders_go_before_all_page_cache(host: Host) -> None:
    """The unit lets go of described folders, sees that it is still short, and only then drops caches."""
    weights = in_cache(host.root / "weights/model")
    host.describe(folders=[str(weights.parent)])

    done = host.run("--unit", "40G")

    steps = [(step["step"], step["files"]) for step in host.report("40G")["steps"]]
    assert steps == [("fadvise on the described folders", 1), ("drop_caches 1", 0)]
    assert (done.returncode, cached_pages(weights), host.switch("drop_caches")) == (4, 0, "1\n")
    assert "still short (simulated)" in done.stdout


def test_directory_entries_go_when_asked_for(host: Host) -> None:
    """`-slab` ends with a 3 in the switch, after the 1."""
    host.run("--unit", "40G-slab")

    assert [step["step"] for step in host.report("40G-slab")["steps"]] == ["drop_caches 1", "drop_caches 3"]
    assert host.switch("drop_caches") == "3\n"


def test_enough_is_enough(host: Host) -> None:
    """Nothing is touched where there is room, whoever serves."""
    host.has(free_gib=60, available_gib=100, cache_gib=40)
    host.describe(serving=["*.service"])

    done = host.run("--unit", "40G")

    assert (done.returncode, host.report("40G")["steps"], host.switch("drop_caches")) == (0, [], "")


def test_what_does_not_fit_is_refused(host: Host) -> None:
    """100 GiB can be had: 93 and the floor of 8 are more."""
    done = host.run("--unit", "93G")

    assert (done.returncode, host.switch("drop_caches")) == (3, "")
    assert "does not fit" in done.stdout


def test_nothing_is_evicted_while_a_unit_serves(host: Host, tmp_path: Path) -> None:
    """A described unit that is active is named; with -force it goes on."""
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text("#!/bin/sh\nshift 4\ntest \"$1\" = -- && echo 'systemd-journald.service loaded active'\n")
    systemctl.chmod(0o755)
    host.describe(serving=["systemd-journald.service"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
        refused, forced = host.run("--unit", "40G"), host.run("--unit", "40G-force")

    assert (refused.returncode, host.report("40G")["serving"]) == (5, ["systemd-journald.service"])
    assert "serves: systemd-journald.service" in refused.stdout
    assert (forced.returncode, host.switch("drop_caches")) == (4, "1\n")


def test_a_systemd_that_does_not_answer_counts_as_serving(host: Host, tmp_path: Path) -> None:
    """Closed when in doubt."""
    host.describe(serving=["vllm.service"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))

        assert host.run("--unit", "40G").returncode == 5


def test_caches_are_not_dropped_twice_within_the_described_time(host: Host) -> None:
    """The second run lets described folders go, which costs nobody else anything, and says when to come again."""
    host.describe(folders=[str(host.root / "weights")], every_s=60)
    in_cache(host.root / "weights/model")
    first, second = host.run("--unit", "40G"), host.run("--unit", "41G")

    assert (first.returncode, second.returncode) == (4, 6)
    report = host.report("41G")
    assert [step["step"] for step in report["steps"]] == ["fadvise on the described folders"]
    assert 50 < report["wait_s"] <= 60


def test_when_the_time_is_over_they_are_dropped_again(host: Host) -> None:
    """The limit is a distance in time, not a number of runs."""
    host.run("--unit", "40G")
    (host.root / "run/last").write_text(f"{time.monotonic() - 61}\n")

    assert host.run("--unit", "40G").returncode == 4


def test_many_at_once_drop_caches_once(host: Host) -> None:
    """Four runs at the same time wait for one another: one drops, three are told that it was just done."""
    with ThreadPoolExecutor(4) as pool:
        codes = sorted(run.returncode for run in pool.map(lambda n: host.run("--unit", f"{40 + n}G"), range(4)))

    assert codes == [4, 6, 6, 6]


def test_a_switch_that_cannot_be_written_is_an_error(host: Host) -> None:
    """A wrong folder makes no file of that name: the run ends with 1 and says which."""
    (host.root / "vm/drop_caches").unlink()

    done = host.run("--unit", "40G")

    assert (done.returncode, (host.root / "vm/drop_caches").exists()) == (1, False)
    assert "drop_caches" in done.stderr


def test_reports_do_not_pile_up(host: Host) -> None:
    """Callers choose the instance, so there may be any number of them: sixteen reports are kept."""
    (host.root / "run").mkdir()
    for number in range(40):
        (host.root / f"run/{number}M.json").write_text("{}")

    host.run("--unit", "40G")

    assert len(list((host.root / "run").glob("*.json"))) == 16
    assert host.report("40G")["code"] == 4


def test_the_metrics_count_runs_refusals_and_evicted_bytes(host: Host) -> None:
    """The exporter takes them for its own page, and they go on over a boot, which empties /run."""
    host.run("--unit", "40G")
    (host.root / "run/last").unlink()
    host.run("--unit", "93G")

    text = (host.root / "state/metrics/memguard.prom").read_text()
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for sample in (one for family in textfile(text).values() for one in family.samples):
        found[sample.name][tuple(sample.labels.values())] = sample.value
    assert found["sparkfleet_memguard_runs_total"] == {("does not fit",): 1, ("still short",): 1}
    assert found["sparkfleet_memguard_evicted_bytes_total"] == {("drop_caches",): 0}
    assert found["sparkfleet_memguard_memory_free_bytes"] == {("before",): 10 << 30, ("after",): 10 << 30}
    assert found["sparkfleet_memguard_large_free_blocks"][("after",)] == 100_000


@pytest.mark.parametrize("word", ["40G;reboot", "../40G", "40G-force-slab", "0G", "", "40G\n"])
def test_a_word_that_is_no_request_is_refused(host: Host, word: str) -> None:
    """Exit 2 before anything is read or written."""
    assert host.run("--unit", word or " ").returncode == 2
    assert not (host.root / "run").exists()


def test_a_dry_run_tells_and_changes_nothing(host: Host) -> None:
    """It needs no unit, and ends as the load would."""
    done = host.run("--need", "40G", "--dry-run", "--json")

    assert (done.returncode, host.switch("drop_caches")) == (4, "")


@pytest.mark.parametrize(("serves", "dropped"), [(False, "1\n"), (True, "")])
def test_the_watch_keeps_the_floor(host: Host, tmp_path: Path, serves: bool, dropped: str) -> None:
    """Below the floor it lets described folders go, then drops caches; not that when somebody served before it."""
    weights = in_cache(host.root / "weights/model")
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f"#!/bin/sh\n{'echo vllm.service loaded active' if serves else ':'}\n")
    systemctl.chmod(0o755)
    host.describe(folders=[str(weights.parent)], serving=["vllm.service"])
    host.has(free_gib=7, available_gib=100, cache_gib=90, large=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
        watch = host.begin("--run-watch")
    try:
        counted = host.root / "state/metrics/memguard.prom"
        last = "watch_steps_total" + ('{how="fadvise"}' if serves else '{how="compact_memory"}')
        until(lambda: counted.exists() and last in counted.read_text(), last)
        assert (cached_pages(weights), host.switch("drop_caches")) == (0, dropped)
    finally:
        watch.terminate()
        watch.wait()


def test_a_broken_configuration_is_named(host: Host) -> None:
    """Exit 1 and the reason, never a default."""
    (host.root / "config.json").write_text("{")

    done = host.run("--unit", "40G")

    assert done.returncode == 1
    assert "config.json: JSONDecodeError" in done.stderr
