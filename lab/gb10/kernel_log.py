"""A scenario's kernel records → a file that reads like /dev/kmsg, one record a line, bounded.

A record is `PRIORITY,SEQUENCE,MICROSECONDS,-;TEXT`, the microseconds counted from the boot that FOLDER/proc/stat tells.
The sequence number goes on across scenarios and players; which records are out is kept beside the file.
"""

from __future__ import annotations

import fcntl
import json
import re
from typing import TYPE_CHECKING, Any

from lab.gb10.tree import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lab.gb10.statements import Record

MOST_BYTES = 4 << 20  # then the older half is forgotten, as the kernel's ring forgets
NAME, STATE = "kmsg", ".kmsg.state"


def due(records: Sequence[Record], since_s: float, age_s: float) -> Iterator[tuple[float, Record]]:
    """The records due later than `since_s` into the scenario and by `age_s`, each with its moment."""
    for record in records:
        moment = record.after_s
        while moment <= age_s:
            if moment > since_s:
                yield moment, record
            if not record.every_s:
                break
            moment += record.every_s


def boot_time(folder: Path) -> float:
    """Seconds since the epoch at which the simulated machine booted; 0 where the scenario does not say."""
    try:
        match = re.search(r"^btime (\d+)$", (folder / "proc/stat").read_text(), flags=re.MULTILINE)
    except FileNotFoundError:
        return 0.0
    return float(match[1]) if match else 0.0


def emit(folder: Path, records: Sequence[Record], started: float, age_s: float) -> None:
    """Append what is due in the scenario that `started` then, each record once however many call this."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / NAME
    log.touch(mode=0o644)
    with (folder / STATE).open("a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        state: dict[str, Any] = json.loads(kept.read() or "{}")
        since = state["age"] if state.get("started") == started else -1.0
        sequence, boot = state.get("sequence", 0), boot_time(folder)
        lines = []
        for moment, record in sorted(due(records, since, age_s), key=lambda item: item[0]):
            lines.append(f"{record.level},{sequence},{int((started + moment - boot) * 1e6)},-;{record.text}\n")
            sequence += 1
        if lines:
            append(log, "".join(lines))
        if lines or since < 0 or state["age"] < age_s - 60:
            kept.seek(0)
            kept.truncate()
            json.dump({"started": started, "age": age_s, "sequence": sequence}, kept)


def append(log: Path, text: str) -> None:
    """To the end, in place; a log that grew too long is replaced by its younger half."""
    with log.open("a") as file:
        file.write(text)
        length = file.tell()
    if length > MOST_BYTES:
        kept = log.read_text()[-MOST_BYTES // 2 :]
        replace(log, kept.partition("\n")[2])
