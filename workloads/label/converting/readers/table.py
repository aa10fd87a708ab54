"""CSV → Parquet, streamed by pyarrow; and its first rows as text for people.

A column becomes numbers or dates only if every value of it says the same when it is written back: 00123 stays text.
Nothing is evaluated: a formula is the characters that it is made of.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from workloads.label.converting.encodings import encoding
from workloads.label.converting.formats import TABLES, RefusedError
from workloads.label.converting.messages import Answer, Part
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

SAMPLE_CHARACTERS = 64 << 10
DELIMITERS = ",;\t|"
BLOCKS_BYTES = (1 << 20, 16 << 20, 128 << 20)  # of which a row must fit into one
MOST_COLUMNS = 4096
TEXT_ROWS = 2000  # that people may be asked to look at; Parquet has all
OUT = "rows.parquet"
WHOLE, DECIMAL = r"^(0|-?[1-9][0-9]{0,17})$", r"^-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}$"
DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
KINDS: tuple[tuple[str, pa.DataType], ...] = ((WHOLE, pa.int64()), (DECIMAL, pa.float64()), (DATE, pa.date32()))


def read(task: Task, place: Place) -> Answer:
    """`rows.parquet` in the worker's folder; every row whose number of cells is another is told and kept as text."""
    file = _utf8(place.folder / task.file, place.folder / "input.utf8")
    with file.open(encoding="utf-8", newline="") as opened:
        sample = opened.read(SAMPLE_CHARACTERS)
    delimiter = delimiter_of(sample, task.name)
    first = next(csv.reader(io.StringIO(sample), delimiter=delimiter), [])
    if len(first) > MOST_COLUMNS:
        raise RefusedError(Why.HOSTILE, f"a table of {len(first)} columns")
    names, headed = columns(first)
    for block in BLOCKS_BYTES:
        source = _Source(file, delimiter, names, block, int(headed))
        try:
            head, rows = source.write(place.folder / OUT, source.kinds())
        except pa.ArrowInvalid as error:
            if "straddl" in str(error) or "block" in str(error):
                continue
            raise RefusedError(Why.UNREADABLE, f"not a table: {error}") from None
        lines = [*_lines([tuple(first)] if headed else []), *_lines(head), *source.ragged]
        parts = [Part(kind="row", text=line) for line in lines]
        return Answer(parts=parts, files=[OUT], notes=_notes(rows, len(source.ragged)))
    raise RefusedError(Why.UNREADABLE, f"a row of more than {BLOCKS_BYTES[-1] >> 20} MiB, or a quote that never ends")


def delimiter_of(sample: str, ending: str = "") -> str:
    """What parts cells: the character that cuts the first rows into equally many, at least two."""

    def fit(delimiter: str) -> tuple[float, int]:
        rows = [row for row, _ in zip(csv.reader(io.StringIO(sample), delimiter=delimiter), range(50), strict=False)]
        widths = [len(row) for row in rows[: -1 if len(rows) > 2 else None] if row]
        common = max(set(widths), key=widths.count, default=1)
        return (widths.count(common) / len(widths), common) if common > 1 else (0.0, 1)

    usual = TABLES.get(ending, ",")
    return max(DELIMITERS, key=lambda each: (*fit(each), each == usual))


def columns(first: list[str]) -> tuple[list[str], bool]:
    """Names for the columns, all different, and whether the first row gave them: words, none empty, none twice."""
    words = [each.strip() for each in first]
    headed = all(words) and len(set(words)) == len(words) and not any(re.match(r"^[-+]?[\d.,/:%]+$", w) for w in words)
    return (words if headed else [f"column_{number}" for number in range(1, len(first) + 1)]), headed


def _utf8(file: Path, copy: Path) -> Path:
    """The file, or a copy of it in UTF-8: pyarrow's own transcoding stops at the first byte that does not fit."""
    codec = encoding(file)
    if codec == "utf-8":
        return file
    with (
        file.open(encoding=codec, errors="replace", newline="") as opened,
        copy.open("w", encoding="utf-8", newline="") as out,
    ):
        shutil.copyfileobj(opened, out, 1 << 20)
    return copy


class _Source:
    """A file, streamed twice: once to learn what its columns hold, once to write them."""

    def __init__(self, file: Path, delimiter: str, names: list[str], block: int, skip: int) -> None:
        self._file, self._names = file, names
        self.ragged: list[str] = []  # rows whose number of cells is another

        def keep(row: Any) -> str:
            self.ragged.append(row.text)
            return "skip"

        self._read = pv.ReadOptions(
            use_threads=False, block_size=block, column_names=names, skip_rows_after_names=skip
        )  # fmt: skip
        self._parse = pv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep)
        self._convert = pv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        self.ragged.clear()
        with self._file.open("rb") as opened, pv.open_csv(opened, self._read, self._parse, self._convert) as stream:
            yield from stream

    def kinds(self) -> list[pa.DataType]:
        """The narrowest type of each column that keeps every value; text, when no value is there."""
        possible = [set(range(len(KINDS))) for _ in self._names]
        filled = [False] * len(self._names)
        for batch in self._batches():
            for number, column in enumerate(batch.columns):
                some = column.filter(pc.not_equal(column, ""))
                filled[number] |= len(some) > 0
                possible[number] = {kind for kind in possible[number] if _all_match(some, KINDS[kind][0])}
        return [KINDS[min(k)][1] if k and some else pa.string() for k, some in zip(possible, filled, strict=True)]

    def write(self, out: Path, kinds: list[pa.DataType]) -> tuple[list[tuple[str, ...]], int]:
        """The first rows, and how many there are."""
        schema = pa.schema([pa.field(name, kind) for name, kind in zip(self._names, kinds, strict=True)])
        head: list[tuple[str, ...]] = []
        rows = 0
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for batch in self._batches():
                first = batch.slice(0, TEXT_ROWS - len(head))
                head += zip(*(column.to_pylist() for column in first.columns), strict=True)
                typed = [_typed(column, kind) for column, kind in zip(batch.columns, kinds, strict=True)]
                writer.write_batch(pa.record_batch(typed, schema=schema))
                rows += batch.num_rows
        return head, rows


def _all_match(values: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False  # None: there are none


def _typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == pa.string():
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column).cast(kind)


def _lines(rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield from (line for row in rows if (line := " | ".join(filter(None, row))))


def _notes(rows: int, ragged: int) -> list[str]:
    notes = [f"text has the first {TEXT_ROWS} of {rows} rows; Parquet has all"] if rows > TEXT_ROWS else []
    if ragged:
        notes.append(f"{ragged} rows have another number of cells than the first: they are in the text only")
    return notes
