"""What the guard keeps between runs: when it last took a system-wide step, its counts, and the metrics made of them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.memguard.config import Config

MOST_REPORTS = 16  # anybody who may start the unit chooses its instance: a bound on what that leaves behind
FIGURES = {
    "free_bytes": ("memory_free_bytes", "MemFree around the last run."),
    "available_bytes": ("memory_available_bytes", "MemAvailable around the last run."),
    "large_blocks": ("large_free_blocks", "Free blocks of order 9 (2 MiB) and more around the last run."),
}


@contextlib.contextmanager
def alone(config: Config) -> Iterator[None]:
    """One run of the guard at a time on this host: the next one sees what the last one freed, and when."""
    config.run.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(config.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Limit:
    """The least time between two system-wide steps of different runs; a run's own steps follow one another."""

    def __init__(self, config: Config) -> None:
        self._file, self._every_s = config.run / "last", config.every_s
        self._begun = False

    def wait_s(self) -> float:
        """How many seconds are missing; 0 when a step may be taken."""
        if self._begun:
            return 0.0
        try:
            last = float(self._file.read_text())
        except (OSError, ValueError):  # none since the boot: /run is empty then
            return 0.0
        return max(0.0, last + self._every_s - time.monotonic())

    def took(self) -> None:
        """Note that one is taken now: before it, so that a run that is killed counts."""
        self._begun = True
        write(self._file, f"{time.monotonic()}\n")


def keep(config: Config, report: dict[str, Any]) -> None:
    """The report where its caller finds it, its counts into the metrics."""
    write(config.run / f"{report['request']}.json", json.dumps(report) + "\n")
    old = sorted(config.run.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-MOST_REPORTS]
    for file in old:
        file.unlink(missing_ok=True)
    count(config, {f"runs {report['verdict']}": 1, **evicted(report["steps"])}, report)


def evicted(steps: list[dict[str, Any]]) -> dict[str, int]:
    """By kind of step, how many bytes of page cache went."""
    found: dict[str, int] = {}
    for step in steps:
        how = step["step"].split()[0]
        if how != "compact_memory":
            found[f"evicted {how}"] = found.get(f"evicted {how}", 0) + step["cache_bytes"]
    return found


def count(config: Config, more: dict[str, int], report: dict[str, Any] | None = None) -> None:
    """Add to the counts, which a boot does not end, and write the metrics anew; with `report`, of its figures."""
    file = config.state / "memguard.json"
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        counts, last = {str(k): int(v) for k, v in kept["counts"].items()}, dict(kept["last"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        counts, last = {}, {}
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number
    if report:
        last = {"time": time.time(), "before": report["before"], "after": report["after"]}
    write(file, json.dumps({"counts": counts, "last": last}, sort_keys=True) + "\n")
    metrics_folder = config.state / "metrics"
    metrics_folder.mkdir(mode=0o755, exist_ok=True)
    write(metrics_folder / "memguard.prom", metrics(counts, last))


def metrics(counts: dict[str, int], last: dict[str, Any]) -> str:
    """Prometheus' text format."""
    lines: list[str] = []

    def family(name: str, kind: str, words: str, rows: list[tuple[str, float]]) -> None:
        full = f"sparkfleet_memguard_{name}"
        if rows:
            lines.extend([f"# HELP {full} {words}", f"# TYPE {full} {kind}"])
            lines.extend(f"{full}{labels} {value}" for labels, value in rows)

    def counted(word: str, label: str) -> list[tuple[str, float]]:
        pairs = ((name.partition(" "), number) for name, number in sorted(counts.items()))
        return [(f'{{{label}="{of}"}}', number) for (kind, _, of), number in pairs if kind == word]

    family("runs_total", "counter", "Runs of the guard by how they ended.", counted("runs", "result"))
    family("evicted_bytes_total", "counter", "Page cache that went while the guard acted.", counted("evicted", "how"))
    family(
        "watch_steps_total",
        "counter",
        "What was done to keep the floor while weights were read.",
        counted("watched", "how"),
    )
    if last:
        for key, (name, words) in FIGURES.items():
            rows = [(f'{{when="{when}"}}', last[when][key]) for when in ("before", "after") if key in last[when]]
            family(name, "gauge", words, rows)
        family("last_run_timestamp_seconds", "gauge", "When the last run ended.", [("", round(last["time"]))])
    return "".join(f"{line}\n" for line in lines)


def write(file: Path, text: str) -> None:
    """Replace a file whole; everybody may read it."""
    unfinished = file.with_name(f".{file.name}.unfinished")  # hidden: no collector of *.prom reads it
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(descriptor, 0o644)  # whatever the umask is
        out.write(text)
    unfinished.replace(file)
