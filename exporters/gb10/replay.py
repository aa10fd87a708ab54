"""A flight recorder's file → what the machine did last: a summary, a table and charts; or JSON, or CSV.

    gb10-exporter replay /var/lib/sparkfleet-gb10-exporter/flight.ring [--last 5m] [--json | --csv]

The ring that the last crash left is `flight.ring.previous`. Reading takes no lock and changes nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from exporters.gb10 import flight, ring
from exporters.gb10.charts import chart, clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporters.gb10.flight import Record

GAP_S = 2.5  # at one record a second: two are missing
CHART_ROWS = 4
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity: its heading with the unit, and how to show it."""

    heading: str
    title: str
    scale: float = 1.0
    digits: int = 0


# Key in a record → how it is shown. For each GPU, and for the machine.
GPU = {
    "celsius": Column("°C", "GPU {gpu} temperature, °C"),
    "watts": Column("W", "GPU {gpu} power, W", digits=1),
    "hertz": Column("MHz", "GPU {gpu} SM clock, MHz", 1e-6),
    "ratio": Column("use %", "GPU {gpu} utilisation, %", 100),
    "state": Column("P", ""),
}
MACHINE = {
    "hottest_celsius": Column("hottest °C", "Hottest thermal zone, °C", digits=1),
    "available_bytes": Column("avail. GiB", "Available memory, GiB", 1 / 2**30, 1),
    "full_seconds": Column("stall s", ""),
    "stall_ratio": Column("stall %", "All tasks stalled for want of memory, %", 100, 1),
    "stuck_seconds": Column("stuck s", "NVML silent for, s"),
}


def main(arguments: Sequence[str]) -> int:
    """Print a ring file; 1 when it cannot be read."""
    flags = argparse.ArgumentParser(prog="gb10-exporter replay", description="Show a flight recorder's file.")
    flags.add_argument("file", type=Path, metavar="FILE")
    flags.add_argument("--last", type=duration, metavar="TIME", help="only so much before the last sample: 90s, 5m, 1h")
    flags.add_argument("--rows", type=int, default=15, help="samples in the table (default %(default)s)")
    form = flags.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every sample as a line of JSON")
    form.add_argument("--csv", action="store_true", help="every sample as a line of CSV")
    asked = flags.parse_args(arguments)
    try:
        found = ring.contents(asked.file.read_bytes())
        records = [flight.parsed(payload) for _, payload in found.records]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{asked.file}: {error}\n")
        return 1
    if asked.last and records:
        records = [record for record in records if record.time > records[-1].time - asked.last]
    try:
        if asked.json:
            sys.stdout.writelines(json.dumps(asdict(record)) + "\n" for record in records)
        elif asked.csv:
            write_csv(records, sys.stdout)
        else:
            width = shutil.get_terminal_size((100, 24)).columns
            lines = report(str(asked.file), found, records, now=time.time(), width=width, rows=asked.rows)
            sys.stdout.writelines(line + "\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; nor may Python complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def duration(text: str) -> float:
    """90s, 5m, 1h → seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 90s, 5m or 1h")
    return float(found[1]) * UNITS[found[2] or "s"]


def report(  # noqa: PLR0913  what a screen is made of
    name: str, found: ring.Contents, records: Sequence[Record], *, now: float, width: int, rows: int
) -> Iterator[str]:
    """Everything for a person: summary, the last `rows` samples as a table, a chart of each quantity that moves."""
    yield from summary(name, found, records, now)
    samples = [record for record in with_stall(records) if not record.event]
    if not samples:
        return
    yield ""
    yield from table(samples[-rows:])
    span = (samples[0].time, samples[-1].time)
    for title, points in series(samples):
        yield from ["", *chart(title, points, span, width, CHART_ROWS)]


def summary(name: str, found: ring.Contents, records: Sequence[Record], now: float) -> Iterator[str]:
    """What is in the file, how it ends, and what is missing."""
    label = "simulated: " if any(record.simulated for record in records) else ""
    if not records:
        yield f"{name}: no samples" + (f", {found.torn} unreadable slots" if found.torn else "")
        return
    first, last = records[0], records[-1]
    yield f"{name}: {label}{len(records)} records, {moment(first.time)} to {moment(last.time)} UTC"
    if last.event == flight.STOP:
        end = "then the exporter was told to end: an orderly shutdown or restart"
    else:
        end = "no orderly end was noted: the exporter still runs, or power, kernel or exporter failed"
    yield f"last record: {ago(now - last.time)} ago; {end}"
    if found.end_is_torn:
        yield "the file's end is torn: the last write was cut off, as by a power cut"
    if found.torn:
        yield f"unreadable slots: {found.torn} of {found.layout.slots}"
    for before, after in pairwise(records):
        what = "next boot" if after.boot != before.boot else "gap" if after.time - before.time > GAP_S else ""
        if after.time < before.time:
            what = "clock set back"
        if what:
            yield f"{what}: {clock(before.time)} to {clock(after.time)} ({ago(after.time - before.time)})"


def with_stall(records: Sequence[Record]) -> Iterator[Record]:
    """The records with the share of each interval in which all tasks were stalled, out of the running total."""
    before: Record | None = None
    for record in records:
        values = dict(record.values)
        total = values.pop("full_seconds", None)
        if before and total is not None and before.boot == record.boot and record.time > before.time:
            grown = total - before.values.get("full_seconds", total)
            values["stall_ratio"] = min(max(grown / (record.time - before.time), 0.0), 1.0)
        yield flight.Record(record.time, record.boot, record.event, values, record.gpus, record.simulated)
        before = record


def table(records: Sequence[Record]) -> Iterator[str]:
    """One line a sample; columns that no sample fills are left out."""
    cells = [row(record) for record in records]
    headings = [heading for heading in all_headings(records) if any(heading in line for line in cells)]
    widths = {heading: max(len(heading), *(len(line.get(heading, "")) for line in cells)) for heading in headings}
    for line in ({heading: heading for heading in headings}, *cells):
        yield "  ".join(line.get(heading, "-").rjust(widths[heading]) for heading in headings)


def all_headings(records: Sequence[Record]) -> list[str]:
    """The table's columns, in order."""
    gpus = sorted({gpu for record in records for gpu in record.gpus})
    return [
        "time UTC",
        *(f"{gpu}: {GPU[key].heading}" for gpu in gpus for key in GPU),
        *(c.heading for c in MACHINE.values()),
    ]


def row(record: Record) -> dict[str, str]:
    """Heading → cell of one sample."""
    cells = {"time UTC": clock(record.time)}
    for gpu, values in record.gpus.items():
        cells |= {f"{gpu}: {GPU[key].heading}": text(GPU[key], value) for key, value in values.items() if key in GPU}
    return cells | {
        MACHINE[key].heading: text(MACHINE[key], value) for key, value in record.values.items() if key in MACHINE
    }


def text(column: Column, value: float) -> str:
    """A cell."""
    return f"{value * column.scale:.{column.digits}f}"


def series(records: Sequence[Record]) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Title and points of each chart."""
    gpus = sorted({gpu for record in records for gpu in record.gpus})
    for gpu in gpus:
        for key, column in GPU.items():
            points = [(r.time, r.gpus[gpu][key] * column.scale) for r in records if key in r.gpus.get(gpu, {})]
            if points and column.title:
                yield column.title.format(gpu=gpu), points
    for key, column in MACHINE.items():
        points = [(r.time, r.values[key] * column.scale) for r in records if key in r.values]
        if column.title and any(value for _, value in points):
            yield column.title, points


def write_csv(records: Sequence[Record], out: TextIO) -> None:
    """Time, boot, event, the machine's values and each GPU's, under the names that a record has for them."""
    gpus = sorted({gpu for record in records for gpu in record.gpus})
    machine = [*flight.MACHINE, "full_seconds"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", "boot", "event", *machine, *(f"gpu{gpu}_{key}" for gpu in gpus for key in flight.GPU)])
    for record in records:
        values: list[Any] = [record.values.get(key, "") for key in machine]
        values += [record.gpus.get(gpu, {}).get(key, "") for gpu in gpus for key in flight.GPU]
        writer.writerow([record.time, record.boot, record.event, *values])


def moment(seconds: float) -> str:
    """Date and time of day in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def ago(seconds: float) -> str:
    """A time span for people, with its two largest units."""
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s")) if n]
    return sign + (" ".join(parts[:2]) or "0 s")
