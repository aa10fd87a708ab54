"""documents.jsonl → texts, Parquet and converted.jsonl; what cannot be read → quarantine.jsonl, with its reason.

Killed anywhere and run again, it does what is missing: every document ends in exactly one of both files.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from workloads.label.converting import plan, sizes, weights
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

CAGE = ("memory", "network", "capabilities", "files", "tcp", "sockets", "programs")


def run(context: Context) -> Report:
    """Convert what is new.

    Raises MissingModelError before anything is converted, OSError where the disk is full, ConfigError when workers
    cannot start.
    """
    began, convert, desk = time.monotonic(), context.params.convert, Desk(context)
    layout = sizes.chosen(convert, sizes.machine())
    limits = Limits(convert.memory_mib << 20, convert.timeout_s, convert.recycle)
    try:
        todo = desk.todo()
        with Pool(desk.scratch, layout, limits, context.site.artifacts, convert.endpoint) as pool:
            seen = triage(desk, pool, todo, convert.max_bytes, context.tell)
            cases = planned(desk, convert, todo, seen)
            pieces = [piece for each in cases for piece in each.progress.waiting]
            weights.check(context.site.artifacts, {reader for piece in pieces for reader in piece.readers})
            pool.load(piece.readers[0] for piece in pieces)
            reading = Reading(desk, pool, layout.staged, context.tell)
            reading.run(cases)
    finally:
        shutil.rmtree(desk.scratch, ignore_errors=True)
    held = ", ".join(each for each in CAGE if each not in pool.held) or None if pool.held else None
    return {
        **desk.told(len(todo), reading.pages, time.monotonic() - began),
        "workers": layout.workers,
        "models": "server" if layout.served else "worker",
        "not_contained": held,
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
