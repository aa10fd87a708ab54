"""One module a way to read a document; each runs in a caged worker only, and imports its heavy library itself.

Every module has `read(task, place) → Answer`; those with models have `warm(place)`, which loads them beforehand.
What a reader raises is a reason too: `worker` turns it into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from pathlib import Path


@dataclass(frozen=True)
class Place:
    """What a worker has: its folder, the models, how many threads, and the endpoint if it may speak to one.

    `served`: models are not loaded here, but asked at `models`, which only copies of the template have.
    """

    folder: Path
    artifacts: Path
    threads: int
    endpoint: str = ""
    served: bool = False
    models: socket.socket | None = None
