"""align_table.toml → Table: which CUDA, TensorRT and driver each Triton container needs, and what a GB10 takes.

Checked on reading, so that `align` can rely on it: every version has numbers, every row and its source are there once.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkfleet.errors import SparkfleetError
from sparkfleet.fitness.calypso import Release, Variant
from sparkfleet.fitness.gpu import Branch
from sparkfleet.forms import matching

FILE = Path(__file__).with_suffix(".toml")

Version = Annotated[str, matching(r"[0-9]+(\.[0-9]+)*", "numbers with dots between them")]
Cuda = Annotated[str, matching(r"[0-9]+\.[0-9]+(\.[0-9]+)*", 'a CUDA version such as "13.0.2"')]


class Entry(BaseModel):
    """A part of the table: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Entry):
    """Where a fact was found, and on which day."""

    what: str = Field(min_length=10)
    read: dt.date

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.what} (read {self.read})"


class Row(Entry):
    """One container. `unverified`: the fields that were not read at a source; `refused`: why no GB10 may use it."""

    release: Release
    variant: Variant
    cuda: Cuda
    minimum_driver: Branch
    source: str
    built_with: Version | None = None
    tensorrt: Version | None = None
    unverified: tuple[Literal["cuda", "tensorrt"], ...] = ()
    refused: str = ""


class Driver(Entry):
    """A driver branch and the newest CUDA that it brings itself; `refused`: why a GB10 should not run it."""

    cuda: Cuda
    source: str
    refused: str = ""


class Gb10(Entry):
    """What the GPU of a DGX Spark asks of a container; `compatible_seen`: newer CUDA that was seen to work."""

    compute_capability: str
    minimum_cuda: Cuda
    source: str
    compatible_seen: tuple[Cuda, ...]
    compatible_source: str


class Table(Entry):
    """The whole table; `servers`: what a server says of itself → the release of its container."""

    version: str
    servers_source: str
    minimum_driver_source: str
    sources: dict[str, Source]
    gb10: Gb10
    drivers: dict[Branch, Driver]
    servers: dict[Version, Release]
    rows: tuple[Row, ...]

    def row(self, release: str, variant: str) -> Row | None:
        """What the container holds; None when the table does not know it."""
        return next((row for row in self.rows if (row.release, row.variant) == (release, variant)), None)

    @property
    def releases(self) -> list[str]:
        """Every release that the table knows in any way, oldest first."""
        return sorted({*(row.release for row in self.rows), *self.servers.values()})


@cache
def read(file: Path = FILE) -> Table:
    """The table; raises SparkfleetError with what is wrong in it."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        rows = raw.pop("containers")["rows"]
        table = Table.model_validate({**raw, "rows": rows})
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValidationError) as error:
        raise SparkfleetError(f"{file.name} is not the table that it should be: {error}") from error
    if faults := _faults(table):
        raise SparkfleetError(f"{file.name} is not the table that it should be: {'; '.join(faults)}")
    return table


def _faults(table: Table) -> list[str]:
    """What is wrong where two places of the table meet."""
    keys = [(row.release, row.variant) for row in table.rows]
    doubled = sorted({key for key in keys if keys.count(key) > 1})
    named: list[Any] = [*table.rows, *table.drivers.values(), table.gb10]
    others = {table.gb10.compatible_source, table.servers_source, table.minimum_driver_source}
    sources = {*(part.source for part in named), *others}
    return [
        *(f"{release} {variant} stands twice" for release, variant in doubled),
        *(f"no source is called {name}" for name in sorted(sources - table.sources.keys())),
    ]
