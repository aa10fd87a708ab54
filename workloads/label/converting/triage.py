"""Documents → what each of them is, by workers; those that no reader should be given are in quarantine afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.errors import disk_full, printable
from workloads.label.converting.messages import Reader, Task
from workloads.label.converting.process import Death
from workloads.label.records import Why

if TYPE_CHECKING:
    from workloads.label.converting.desk import Desk
    from workloads.label.converting.messages import Answer, Seen
    from workloads.label.converting.pool import Pool
    from workloads.label.records import Document
    from workloads.label.stages import Tell

UNPACKED = 10  # times convert.max_bytes: what a document may unpack to


def triage(desk: Desk, pool: Pool, documents: list[Document], most_bytes: int, tell: Tell) -> dict[str, Seen]:
    """What those are that can be read; raises NodeError when workers cannot start."""
    known = desk.seen()
    wanted = {each.id for each in documents}
    waiting = [(each, Reader.TRIAGE) for each in documents if each.id not in known]
    total, running = len(waiting), dict[int, "tuple[Document, Reader]"]()
    while waiting or running:
        while waiting and pool.free(waiting[0][1]):
            document, reader = waiting.pop(0)
            worker = pool.worker(reader)
            if desk.copy(document, worker.folder / "input"):
                running[worker.number] = document, reader
                name = printable(document.path)
                pool.give(worker, Task(
                    reader=reader, file="input", name=name, most_unpacked=UNPACKED * most_bytes
                ))  # fmt: skip
        for worker, end in pool.ended():
            document, reader = running.pop(worker.number)
            pool.release(worker)
            if isinstance(end, Death) and not end.ours and desk.killed(document.id):
                waiting.insert(0, (document, reader))
            elif isinstance(end, Death) and reader == Reader.TRIAGE:
                waiting.insert(0, (document, Reader.COUNT))
            else:
                _take(desk, known, document, end)
            tell(total - len(waiting) - len(running), total, f"looked at {document.path}")
    return {document: seen for document, seen in known.items() if document in wanted}


def _take(desk: Desk, known: dict[str, Seen], document: Document, end: Answer | Death) -> None:
    if not isinstance(end, Death):
        if end.no_room:
            raise disk_full()
        if end.seen:
            known[document.id] = end.seen
            desk.saw(document, end.seen)
            return
    desk.aside(document, end.why or Why.UNREADABLE, end.detail, [Reader.TRIAGE])
