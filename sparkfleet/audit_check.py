"""The local audit log and the copies in the store → what does not agree, and whether somebody tampered. Pure.

The copies are the measure: they cannot be changed or deleted while they are retained, so whatever differs was changed
here. A record without a copy waits to be shipped, or its copy has outlived its retention.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from sparkfleet import chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sparkfleet.cloud.trail import Copy

NUMBER = re.compile(r"/[0-9TZ.]+-(\d{6,})-[0-9a-f]{8}\.json$")


@dataclass(frozen=True)
class Disagreement:
    """`line` counts from 1, None where no line of the local log is meant."""

    kind: Literal["chain", "changed", "missing here", "missing there", "overwritten", "deleted", "foreign", "unshipped"]
    line: int | None
    what: str

    @property
    def tampering(self) -> bool:
        """A record that merely waits to be shipped is no sign of anything."""
        return self.kind != "unshipped"


def check_chain(lines: Iterable[str]) -> list[Disagreement]:
    """What the local log alone shows."""
    return [Disagreement("chain", fault.number, fault.what) for fault in chain.verify_chain(lines)]


def compare(
    lines: Sequence[str],
    copies: Iterable[Copy],
    name: Callable[[chain.Record], str],
    shipped: int,
    retained: timedelta,
) -> list[Disagreement]:
    """Everything on which the log and its copies do not agree.

    `name` gives the object's name of a record, `shipped` is how many lines were dealt with, `retained` how long a copy
    stays at least.
    """
    there = {copy.key.rpartition("/")[2]: copy for copy in copies}
    records = {number: made for number, line in enumerate(lines, start=1) if (made := chain.parsed(line))}
    names = {name(made): number for number, made in records.items()}
    oldest = datetime.now(UTC) - retained
    found = [_unknown(copy, records) for key, copy in there.items() if key not in names]
    told = {one.line for one in found}
    for key, number in names.items():
        if key in there:
            found += list(_same(there[key], number, lines[number - 1]))
        elif number in told:  # it was changed here: under its old name its copy is there
            continue
        elif number > shipped:
            found.append(Disagreement("unshipped", number, "waits to be shipped"))
        elif _when(records[number]) > oldest:
            found.append(Disagreement("missing there", number, "has no copy, though it was noted as shipped"))
    return sorted(found, key=lambda one: (one.line or 0, one.kind))


def _same(copy: Copy, number: int, line: str) -> Iterator[Disagreement]:
    """A record and the object of its name."""
    # MD5, because that is what a list of objects shows; the object's name and the chain hold SHA-256 of the same line.
    digest = hashlib.md5(line.encode(), usedforsecurity=False).hexdigest()
    if (copy.md5, copy.size) != (digest, len(line.encode())):
        yield Disagreement("changed", number, f"is not what its copy {copy.key} says")
    if copy.again:
        yield Disagreement("overwritten", number, f"has a copy that was written again, the first counts: {copy.key}")
    if copy.hidden:
        yield Disagreement("deleted", number, f"has a copy that somebody tried to delete, in vain: {copy.key}")


def _unknown(copy: Copy, records: dict[int, chain.Record]) -> Disagreement:
    """An object whose record the log does not have."""
    numbered = NUMBER.search(copy.key)
    if not numbered:
        return Disagreement("foreign", None, f"{copy.key} in the store is no record of ours")
    line = int(numbered[1]) + 1
    if line in records:
        return Disagreement("changed", line, f"is not what its copy {copy.key} says")
    return Disagreement("missing here", line, f"is missing in the log of this controller; its copy is {copy.key}")


def _when(record: chain.Record) -> datetime:
    try:
        return datetime.fromisoformat(record.at)
    except ValueError:  # changed by hand: treated as new, so that it shows
        return datetime.now(UTC)
