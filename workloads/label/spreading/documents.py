"""convert on many machines: documents go there by their bytes; texts, Parquet and one record of each come back."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.label.converting.desk import CONVERTED, DOCUMENTS, QUARANTINE, Desk
from workloads.label.params import FILE
from workloads.label.records import Converted, Document, Quarantined, Why
from workloads.label.spreading import spread
from workloads.label.spreading.hand import Order
from workloads.label.spreading.ledger import Piece
from workloads.label.workspace import lines

if TYPE_CHECKING:
    from workloads.label.spreading.hand import Said
    from workloads.label.stages import Context, Report

SOURCE = "archive"  # a folder of a share
TABLES = ("parts", "cells", "rows")
BESIDE = ("texts/{document}.txt", *(f"parquet/{table}/document={{document}}/0.parquet" for table in TABLES))
ORDER = Order("convert", {CONVERTED: BESIDE, QUARANTINE: ()})
KINDS: dict[str, type[Converted | Quarantined]] = {CONVERTED: Converted, QUARANTINE: Quarantined}


@dataclass
class Documents:
    """A batch."""

    context: Context
    desk: Desk
    todo: dict[str, Document]
    pages: int = 0
    what: str = "documents"
    order: Order = ORDER

    def common(self) -> dict[str, bytes]:
        """The project."""
        return {f"project/{FILE}": (self.context.params.folder / FILE).read_bytes()}

    def share(self, names: list[str]) -> tuple[dict[str, bytes], list[str]]:
        """Documents as they were fetched, and their records, by which the stage there finds them.

        Left out are those that are not there any more, or are too large: the desk has counted them.
        """
        files, records, missing = dict[str, bytes](), list[Document](), list[str]()
        for name in names:
            document, staged = self.todo[name], self.desk.scratch / name
            if not self.desk.copy(document, staged):
                missing.append(name)
                continue
            path = f"{name}/{Path(document.path).name}"
            files[f"{SOURCE}/{path}"] = staged.read_bytes()
            records.append(document.model_copy(update={"source": SOURCE, "path": path}))
            staged.unlink()
        files[f"work/{self.context.params.name}/{DOCUMENTS}"] = lines(records)
        return files, missing

    def piece(self, said: Said) -> str:
        """A record's document; raises ValueError."""
        return KINDS[said.of].model_validate_json(said.line).document

    def take(self, said: list[Said]) -> None:
        """A text that is the record's, then Parquet, then the record; raises ValueError for anything else."""
        for each in said:
            record = KINDS[each.of].model_validate_json(each.line)
            if isinstance(record, Quarantined):
                self.desk.keep(record.model_copy(update={"path": self.todo[record.document].path}))
                continue
            allowed = {pattern.format(document=record.document) for pattern in BESIDE}
            text = hashlib.sha256(each.files.get(record.text, b"")).hexdigest()
            if text != record.text_sha256 or not each.files.keys() <= allowed:
                raise ValueError(f"the text of {record.document} is not the one that its record names")
            for name, data in each.files.items():
                self.context.work.put(name, data)
            self.desk.keep(record)
            self.pages += record.pages

    def give_up(self, name: str) -> None:
        """Into quarantine."""
        document = self.todo[name]
        self.desk.aside(document, Why.CRASHED, "machines went down while they had it, one after the other", [])


def run(context: Context) -> Report:
    """Convert what is new, on every machine that shares the work. Raises as the stage does, and as `spread.run`."""
    began, desk = time.monotonic(), Desk(context)
    try:
        todo = {document.id: document for document in desk.todo()}
        job = Documents(context, desk, todo)
        pieces = [Piece(document.id, document.size_bytes) for document in todo.values()]
        told = spread.run(context, job, pieces)
    finally:
        shutil.rmtree(desk.scratch, ignore_errors=True)
    return {**desk.told(len(todo), job.pages, time.monotonic() - began), **told}
