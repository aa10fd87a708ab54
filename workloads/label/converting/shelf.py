"""What slices gave → a document's text, its Parquet and its record. Each file appears whole; the record comes last.

texts/DOCUMENT.txt                              what people will read: parts, a blank line between them
parquet/parts/document=DOCUMENT/0.parquet       part, kind, page, text
parquet/cells/document=DOCUMENT/0.parquet       part, page, row, column, text: of every table
parquet/rows/document=DOCUMENT/0.parquet        a CSV file with its own columns
slices/DOCUMENT/FIRST-LAST.json                 while it is being converted; removed when the record is there

A run that was killed finds the slices and goes on with the others; what it finds without a record is made again.
"""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from workloads.label.converting.checks import clean
from workloads.label.converting.messages import Part, Reader
from workloads.label.records import Record

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.workspace import Workspace

PARTS = pa.schema([("part", pa.int32()), ("kind", pa.string()), ("page", pa.int32()), ("text", pa.string())])
CELLS = pa.schema(
    [("part", pa.int32()), ("page", pa.int32()), ("row", pa.int32()), ("column", pa.int32()), ("text", pa.string())]
)
BETWEEN = "\n\n"


class Read(Record):
    """A slice that was read: by whom, and what it gave. `settings`: of the project when it was."""

    first: int
    last: int
    reader: Reader
    parts: list[Part]
    failed: list[int]
    notes: list[str]
    seconds: float
    settings: str


class Shelf:
    """Where the results of one project lie."""

    def __init__(self, work: Workspace, settings: str) -> None:
        self._work, self.settings = work, settings

    def keep(self, document: str, read: Read) -> None:
        """A slice; on the disk before this returns."""
        self._work.put(f"slices/{document}/{read.first}-{read.last}.json", read.model_dump_json().encode())

    def kept(self, document: str) -> list[Read]:
        """The slices that an earlier run left, in their order; those of other settings are dropped."""
        found = []
        for file in self._work.path("slices", document).glob("*.json"):
            read = Read.model_validate_json(file.read_bytes())
            if read.settings == self.settings:
                found.append(read)
            else:
                file.unlink()
        return sorted(found, key=lambda read: read.first)

    def rows(self, document: str, left: Path) -> None:
        """Take a Parquet file that a worker left."""
        target = self._parquet("rows", document)
        target.parent.mkdir(parents=True, exist_ok=True)
        left.replace(target)

    def write(self, document: str, parts: list[Part]) -> tuple[str, str]:
        """The text and the Parquet of a whole document; the text's path below the workspace and its SHA-256."""
        parts = [part.model_copy(update={"text": text}) for part in parts if (text := clean(part.text).strip())]
        data = (BETWEEN.join(part.text for part in parts) + "\n").encode()
        name = f"texts/{document}.txt"
        self._work.put(name, data)
        told = [{"part": n, "kind": part.kind, "page": part.page, "text": part.text} for n, part in enumerate(parts)]
        self._table("parts", document, pa.Table.from_pylist(told, PARTS))
        cells = [
            {"part": number, "page": part.page, "row": row, "column": column, "text": clean(text)}
            for number, part in enumerate(parts)
            for row, texts in enumerate(part.cells or [])
            for column, text in enumerate(texts)
        ]
        if cells:
            self._table("cells", document, pa.Table.from_pylist(cells, CELLS))
        return name, hashlib.sha256(data).hexdigest()

    def forget(self, document: str) -> None:
        """The slices of a document whose record is there."""
        shutil.rmtree(self._work.path("slices", document), ignore_errors=True)

    def _parquet(self, table: str, document: str) -> Path:
        return self._work.path("parquet", table, f"document={document}", "0.parquet")

    def _table(self, name: str, document: str, table: pa.Table) -> None:
        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression="zstd")
        self._work.put(str(self._parquet(name, document).relative_to(self._work.folder)), out.getvalue().to_pybytes())
