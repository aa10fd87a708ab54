"""The player: files that move, and the kernel's records, as a scenario has them at each age."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import gb10
from lab.gb10 import disk, kernel_log, moving
from lab.gb10.player import Player
from lab.gb10.statements import Record, statements

if TYPE_CHECKING:
    from pathlib import Path


def put(folder: Path, text: str, age_s: float) -> None:
    """A scenario file that was written so long ago."""
    gb10.replace(folder / "scenario", text)
    began = time.time() - age_s
    os.utime(folder / "scenario", (began, began))


@pytest.mark.parametrize(
    ("text", "age_s", "expected"),
    [
        ("ramp 10 20 10", 0, "10"),
        ("ramp 10 20 10", 5, "15"),
        ("ramp 10 20 10", 99, "20"),
        ("ramp 20 10 10 after 5", 10, "15"),
        ("ramp 0.00 1.00 4", 1, "0.25"),
        ("7 per_second 2", 3, "13"),
        ("steps 10 a b c", 19, "b"),
        ("steps 10 a b c", 1000, "c"),
        ("MemFree: {ramp 100 0 10} kB and {0 per_second 1}", 4, "MemFree: 60 kB and 4"),
        ("nothing {of this} moves", 4, "nothing {of this} moves"),
    ],
)
def test_an_expression_has_its_value_at_an_age(text: str, age_s: float, expected: str) -> None:
    """Ramps end, growth goes on, steps stay at the last; decimals are those of the first value."""
    assert moving.text_at(text, age_s) == expected


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.floats(0.1, 1000), st.floats(0, 2000))
def test_a_ramp_never_leaves_its_ends(start: int, end: int, seconds: float, age_s: float) -> None:
    """At every age the value lies between the first and the last."""
    found = int(moving.text_at(f"ramp {start} {end} {seconds:.3f}", age_s))
    assert min(start, end) <= found <= max(start, end)


def test_moving_files_follow_the_age_of_the_scenario(tmp_path: Path) -> None:
    """A step writes what a ramp has come to since the scenario file was written; what stands still stays untouched."""
    put(tmp_path, "sys/a = ramp 0 1000 10\nsys/b = still\n", age_s=0)
    player, still = Player(tmp_path), tmp_path / "sys/b"
    player.step()
    inode = still.stat().st_ino
    began = time.time() - 5
    os.utime(tmp_path / "scenario", (began, began))
    Player(tmp_path).step()
    assert 500 <= int((tmp_path / "sys/a").read_text()) < 700
    player = Player(tmp_path)
    player.step()
    inode = still.stat().st_ino
    player.step()
    assert still.stat().st_ino == inode


def test_a_new_scenario_takes_over(tmp_path: Path) -> None:
    """A running player follows a rename of the scenario file and takes away what was the old one's."""
    put(tmp_path, "sys/old = 1\n", age_s=0)
    player = Player(tmp_path)
    player.step()
    gb10.replace(tmp_path / "scenario", "sys/new = 2\n")
    player.step()
    assert [path.name for path in (tmp_path / "sys").iterdir()] == ["new"]


def test_records_come_once_each_and_in_order(tmp_path: Path) -> None:
    """Two players write a record once; one with `every` comes again; sequence numbers go on over scenarios."""
    text = "kmsg += after 2 every 3 3 again\nkmsg += 4 first\nproc/stat = btime 1000\n"
    put(tmp_path, text, age_s=9)
    for player in (Player(tmp_path), Player(tmp_path)):
        player.step()
    lines = (tmp_path / "kmsg").read_text().splitlines()
    assert [line.split(";")[1] for line in lines] == ["first", "again", "again", "again"]
    gb10.put("kmsg += 6 next scenario\n", tmp_path)
    numbers = [int(line.split(",")[1]) for line in (tmp_path / "kmsg").read_text().splitlines()]
    assert numbers == [0, 1, 2, 3, 4]


def test_a_record_has_the_form_of_dev_kmsg(tmp_path: Path) -> None:
    """Priority, sequence, microseconds since the boot that /proc/stat tells, a dash; then the text."""
    put(tmp_path, "proc/stat = <<\ncpu  1 2\nbtime 1000\n>>\nkmsg += 3 NVRM: Xid: 79; lost\n", age_s=0)
    Player(tmp_path).step()
    head, text = (tmp_path / "kmsg").read_text().rstrip("\n").split(";", 1)
    priority, sequence, microseconds, flags = head.split(",")
    assert (priority, sequence, flags, text) == ("3", "0", "-", "NVRM: Xid: 79; lost")
    assert abs(int(microseconds) / 1e6 + 1000 - time.time()) < 60


def test_the_log_forgets_its_older_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file never grows past its bound, and the last record is always there, whole."""
    monkeypatch.setattr(kernel_log, "MOST_BYTES", 1000)
    for number in range(200):
        kernel_log.emit(tmp_path, [Record(f"record {number}", 3)], started=number, age_s=0)
        assert (tmp_path / "kmsg").stat().st_size <= 1100
    assert (tmp_path / "kmsg").read_text().splitlines()[-1].endswith(";record 199")


def test_a_scenario_that_makes_no_sense_changes_nothing(tmp_path: Path) -> None:
    """`put` refuses it with the line, and what was there stays."""
    gb10.put("sys/a = 1\n", tmp_path)
    for wrong in ("kmsg += 9 no such level", "proc/stat[btime] = 5", "sys/a -> /etc/passwd", "sys/a -> ../../x"):
        with pytest.raises(ValueError, match=r"kmsg|btime|link|kernel log"):
            gb10.put(f"sys/b = 2\n{wrong}\n", tmp_path)
    assert [path.name for path in (tmp_path / "sys").iterdir()] == ["a"]


@pytest.mark.parametrize("name", gb10.names())
def test_every_scenario_can_be_played(name: str, tmp_path: Path) -> None:
    """At 0, 60 and 600 seconds every file is written, and no expression is left standing in it."""
    for age_s in (0, 60, 600):
        put(tmp_path, gb10.scenario(name), age_s)
        Player(tmp_path).step()
        for path in statements(gb10.scenario(name)).files:
            text = (tmp_path / path).read_text()
            assert not moving.is_moving(text.rstrip("\n")), path
    disk.ensure(tmp_path, [], 0)


def test_the_program_plays(tmp_path: Path) -> None:
    """`python -m lab.gb10.player FOLDER --once` needs nothing but the standard library."""
    put(tmp_path, "sys/a = ramp 0 100 10\n", age_s=20)
    run = f"import sys; sys.path.insert(0, {str(gb10.FOLDER.parents[1])!r}); from lab.gb10 import player; "
    command = [sys.executable, "-I", "-S", "-c", f"{run}player.main([{str(tmp_path)!r}, '--once'])"]
    subprocess.run(command, check=True)
    assert (tmp_path / "sys/a").read_text() == "100\n"
