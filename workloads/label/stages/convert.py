"""documents.jsonl → texts, Parquet and converted.jsonl; what cannot be read → quarantine.jsonl, with its reason.

Killed anywhere and run again, it does what is missing: every document ends in exactly one of both files.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.label.converting import plan, weights
from workloads.label.converting.desk import Desk
from workloads.label.converting.pool import Pool
from workloads.label.converting.process import Limits
from workloads.label.converting.reading import Case, Reading
from workloads.label.converting.triage import triage

if TYPE_CHECKING:
    from workloads.label.converting.messages import Seen
    from workloads.label.params import Convert
    from workloads.label.records import Document
    from workloads.label.stages import Context, Report

MOST_WORKERS = 8  # of our own choice: each has the models to itself
CAGE = ("memory", "network", "capabilities", "files", "tcp", "sockets", "programs")


def run(context: Context) -> Report:
    """Convert what is new.

    Raises MissingModelError before anything is converted, NoRoomError when the disk is full, ConfigError when workers
    cannot start.
    """
    began, convert, desk = time.monotonic(), context.params.convert, Desk(context)
    count = workers(convert, os.cpu_count() or 1, available_bytes())
    limits = Limits(
        convert.memory_mib << 20, convert.timeout_s, convert.recycle, max(1, (os.cpu_count() or 1) // count)
    )
    try:
        todo = desk.todo()
        with Pool(desk.scratch, count, limits, context.site.artifacts, convert.endpoint) as pool:
            seen = triage(desk, pool, todo, convert.max_bytes, context.tell)
            cases = planned(desk, convert, todo, seen)
            weights.check(
                context.site.artifacts, {r for each in cases for s in each.progress.waiting for r in s.readers}
            )
            reading = Reading(desk, pool, desk.shelf.settings, context.tell)
            reading.run(cases)
    finally:
        shutil.rmtree(desk.scratch, ignore_errors=True)
    seconds = time.monotonic() - began
    return {
        "new": len(todo),
        **desk.counts,
        "why": desk.why,
        "pages": reading.pages,
        "pages_s": round(reading.pages / seconds, 2) if reading.pages else None,
        "workers": count,
        "not_contained": ", ".join(each for each in CAGE if each not in pool.held) or None if pool.held else None,
        "seconds": round(seconds, 3),
    }


def planned(desk: Desk, convert: Convert, todo: list[Document], seen: dict[str, Seen]) -> list[Case]:
    """What is left to read of each document that can be read."""
    cases = []
    for document in todo:
        if saw := seen.get(document.id):
            reads = desk.shelf.kept(document.id)
            covered = {page for read in reads for page in range(read.first, read.last + 1) if page not in read.failed}
            cases.append(Case(document, saw, plan.start(plan.slices(saw, convert), covered), reads))
    return cases


def workers(convert: Convert, cores: int, memory_bytes: int) -> int:
    """As many as cores and memory allow, unless the owner says. Pure."""
    return convert.workers or max(1, min(cores, memory_bytes // (convert.memory_mib << 20), MOST_WORKERS))


def available_bytes() -> int:
    """Memory that the kernel would give to programs now."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0
