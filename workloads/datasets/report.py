"""What is on this machine and what the last sync did → a document for `status`, and metrics for Prometheus."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from workloads.datasets import room
from workloads.datasets.library import INCOMING, Shelf
from workloads.datasets.tree import look
from workloads.errors import printable

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.datasets.config import Config
    from workloads.datasets.sync import Outcome

LAST = ".last.json"

METRICS = (
    ("sparkfleet_dataset_info", "", "The version that is served, as a label."),
    ("sparkfleet_dataset_sync_success", "success", "Whether the last sync mirrored the wanted version (1) or not (0)."),
    ("sparkfleet_dataset_sync_timestamp_seconds", "finished", "When the last sync ended, in seconds since 1970."),
    ("sparkfleet_dataset_synced_timestamp_seconds", "synced", "When a sync last found or made it whole."),
    ("sparkfleet_dataset_sync_duration_seconds", "seconds", "How long the last sync took."),
    ("sparkfleet_dataset_sync_fetched_bytes", "fetched_bytes", "What the last sync fetched."),
    ("sparkfleet_dataset_size_bytes", "size", "Of all files of the version that was served last."),
    ("sparkfleet_dataset_files", "files", "How many files that version has."),
)
SPACE = (
    ("sparkfleet_datasets_free_bytes", "free_bytes", "What is free on the data sets' file system."),
    ("sparkfleet_datasets_keep_free_bytes", "keep_free_bytes", "What evictions keep free there."),
)


def remembered(folder: Path) -> dict[str, dict[str, Any]]:
    """What earlier syncs did, by data set; nothing where that cannot be read."""
    try:
        data = json.loads((folder / LAST).read_text(encoding="utf-8"))
        return {str(name): dict(each) for name, each in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(config: Config, outcomes: list[Outcome], now: float | None = None) -> None:
    """Add these outcomes to what is remembered, and tell Prometheus."""
    last = remembered(config.folder)
    for outcome in outcomes:
        last[outcome.name] = record(outcome, last.get(outcome.name, {}), time.time() if now is None else now)
    last = {name: each for name, each in last.items() if name in config.sets}
    write(config.folder / LAST, json.dumps(last, sort_keys=True) + "\n")
    if config.metrics:
        write(config.metrics, metrics(status(config)))


def record(outcome: Outcome, before: dict[str, Any], now: float) -> dict[str, Any]:
    """One outcome as it is remembered; a failure keeps when it was whole last."""
    failed = outcome.error is not None
    kept = before if failed else {"synced": now, "files": outcome.files, "size": outcome.size}
    return {
        "success": not failed,
        "error": str(outcome.error) if failed else None,
        "exit_code": outcome.error.exit_code if outcome.error else 0,
        "wanted": outcome.version or None,
        "finished": now,
        "seconds": round(outcome.seconds, 3),
        "fetched_bytes": 0 if failed else outcome.fetched_bytes,
        **{key: kept[key] for key in ("synced", "files", "size") if key in kept},
    }


def status(config: Config) -> dict[str, Any]:
    """What is here, without asking the store: plain data, as `status --json` shows it."""
    last = remembered(config.folder)
    sets = {}
    for name, wanted in config.sets.items():
        shelf = Shelf(config.folder / name)
        current = shelf.current()
        sets[name] = {
            "wanted": wanted.version,
            "current": current,
            "path": str(shelf.folder / current) if current else None,
            "versions": [{"version": each, "used": shelf.used(each)} for each in reversed(shelf.versions())],
            "incoming": incoming(shelf),
            "last": last.get(name),
        }
    free = room.free_bytes(config.folder) if config.folder.is_dir() else None
    return {
        "folder": str(config.folder),
        "free_bytes": free,
        "keep_free_bytes": config.keep_free_bytes,
        "sets": sets,
    }


def incoming(shelf: Shelf) -> dict[str, int | None]:
    """Versions that are not whole → how many bytes of them are here; None for one that may not look."""
    held: dict[str, int | None] = {}
    with contextlib.suppress(FileNotFoundError):
        for folder in [each for each in shelf.folder.iterdir() if each.name.startswith(INCOMING)]:
            try:
                size = sum(each.size for each in look(folder).files.values())
            except PermissionError:
                size = None
            held[folder.name.removeprefix(INCOMING)] = size
    return held


def metrics(told: dict[str, Any]) -> str:
    """Prometheus' text format."""
    lines = []
    for metric, key, text in METRICS:
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge"]
        for name, each in sorted(told["sets"].items()):
            if not key and each["current"]:
                lines.append(f'{metric}{{dataset="{name}",version="{each["current"]}"}} 1')
            elif key and each["last"] and each["last"].get(key) is not None:
                lines.append(f'{metric}{{dataset="{name}"}} {float(each["last"][key]):.3f}')
    for metric, key, text in SPACE:
        if told[key] is not None:
            lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge", f"{metric} {told[key]}"]
    return "\n".join(lines) + "\n"


def lines(told: dict[str, Any]) -> list[str]:
    """The same for people."""
    free, floor = told["free_bytes"], told["keep_free_bytes"]
    shown = [f"{told['folder']}: {room.size(free) if free is not None else 'nothing'} free, {room.size(floor)} stay so"]
    for name, each in sorted(told["sets"].items()):
        others = [one["version"] for one in each["versions"] if one["version"] != each["current"]]
        text = f"{name}: serves {each['current'] or 'nothing'} (wanted: {each['wanted']})"
        last = each["last"] or {}
        if each["current"] and "files" in last:
            text += f", {last['files']} files, {room.size(last['size'])}"
        if others:
            text += f"; also here: {', '.join(others)}"
        shown.append(text)
        for version, held in each["incoming"].items():
            shown.append(f"  {version}: {'something' if held is None else room.size(held)} here, not whole yet")
        if last.get("error"):
            shown.append(f"  the last sync failed: {printable(last['error'].splitlines()[0])}")
        elif not last:
            shown.append("  never synced")
    return shown


def write(file: Path, text: str) -> None:
    """Replace a file whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")  # hidden: no collector of *.prom reads it
    with unfinished.open("w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o644)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
