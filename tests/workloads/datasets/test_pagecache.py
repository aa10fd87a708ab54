"""A sync leaves the page cache as it was: on a GB10 that memory is the GPU's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.workloads.datasets.cached import cached
from tests.workloads.datasets.serving import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.datasets.serving import Mirror

SIZE = 48 << 20


def test_what_was_mirrored_is_on_the_disk_and_not_in_memory(mirror: Mirror, tmp_path: Path) -> None:
    """At most 5 % of it, and nothing dirty; read in by --verify and put out again, too."""
    files = {"large": os.urandom(SIZE - (4 << 20)), **{f"small/{n}": os.urandom(16 << 10) for n in range(256)}}
    mirror.publish(write(tmp_path / "source", files), "v1")

    assert mirror.sync().error is None
    after_sync = cached(mirror.current)
    assert not mirror.sync(verify=True).changed
    after_verify = cached(mirror.current)
    content = (mirror.current / "large").read_bytes()
    after_reading = cached(mirror.current)

    assert (after_sync.dirty, after_verify.dirty) == (0, 0)
    assert after_sync.held <= 0.05 * SIZE
    assert after_verify.held <= 0.05 * SIZE
    assert after_reading.held >= len(content)  # so the figures above are no blindness
