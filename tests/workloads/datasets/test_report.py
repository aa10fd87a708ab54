"""How far it is and how it ended, for people, for scripts and for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.datasets import progress, report
from workloads.datasets.config import Config, StoreAt, Wanted
from workloads.datasets.sync import Outcome
from workloads.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def config(folder: Path) -> Config:
    """One data set, nothing of it here."""
    return Config(folder, StoreAt(), {"a": Wanted("a", "bucket", "shared/a")}, metrics=folder / "a.prom")


def test_a_failure_keeps_since_when_it_was_whole(tmp_path: Path) -> None:
    """So an alert can tell how old the served version may be."""
    wanted = config(tmp_path)
    report.remember(wanted, [Outcome("a", "v1", files=3, size=7, fetched_bytes=7)], now=1000)
    report.remember(wanted, [Outcome("a", error=StoreError("silent\x1b[2J"))], now=2000)

    last = report.status(wanted)["sets"]["a"]["last"]
    text = (tmp_path / "a.prom").read_text()
    shown = "\n".join(report.lines(report.status(wanted)))

    assert (last["success"], last["synced"], last["finished"], last["files"]) == (False, 1000, 2000, 3)
    assert 'sparkfleet_dataset_synced_timestamp_seconds{dataset="a"} 1000.000' in text
    assert 'sparkfleet_dataset_sync_success{dataset="a"} 0.000' in text
    assert "the last sync failed: silent?[2J" in shown


def test_what_is_described_no_more_is_told_no_more(tmp_path: Path) -> None:
    """Else its metric would stand still for ever, and an alert with it."""
    wanted = config(tmp_path)
    report.remember(wanted, [Outcome("gone", "v1"), Outcome("a", "v1")], now=1000)

    assert set(report.remembered(tmp_path)) == {"a"}
    assert "gone" not in (tmp_path / "a.prom").read_text()


def test_lost_memory_is_no_fault(tmp_path: Path) -> None:
    """What earlier syncs did is a convenience."""
    for text in ("", "[]", "{", '{"a": 1}'):
        (tmp_path / ".last.json").write_text(text)
        assert report.remembered(tmp_path) == {}


def test_lines_come_now_and_then() -> None:
    """The first, one in ten seconds, the last; a piece that must come again counts once."""
    said: list[str] = []
    now = 0.0
    lines = progress.Lines(said.append, lambda: now)
    lines.begin("a", "v1", 4 << 20, 2)
    for second in range(21):
        now = float(second)
        lines.came(1 << 20, 0)
        lines.came(-(1 << 20), 0)
    lines.came(4 << 20, 2)
    lines.end()

    assert len(said) == 4
    assert said[0] == "a v1: 4.0 MiB in 2 files are to come"
    assert said[-1].startswith("a v1: 4.0 MiB of 4.0 MiB, 2 of 2 files")


def test_a_bar_needs_a_terminal() -> None:
    """Elsewhere lines, or nothing."""
    assert type(progress.fitting(terminal=True, quiet=False, say=print)) is progress.Bar
    assert type(progress.fitting(terminal=False, quiet=False, say=print)) is progress.Lines
    assert type(progress.fitting(terminal=True, quiet=True, say=print)) is progress.Progress
