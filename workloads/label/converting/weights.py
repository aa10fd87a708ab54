"""The readers that a batch needs → their model files, or what is missing, told before the batch starts.

A folder is named after the repository that its files come from, as Docling wants it below `artifacts_path`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.errors import MissingModelError
from workloads.label.converting.messages import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LAYOUT, VISION = "docling-project--docling-layout-heron", "ibm-granite--granite-docling-258M"
FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
NEEDED = {
    Reader.LAYOUT: (LAYOUT, FILES),
    Reader.VISION: (VISION, ("config.json", "model.safetensors", "tokenizer.json")),
}


def missing(artifacts: Path, readers: Iterable[Reader]) -> list[Path]:
    """The files that these readers would look for in vain."""
    wanted = [artifacts / folder / name for reader in readers if reader in NEEDED
              for folder, names in [NEEDED[reader]] for name in names]  # fmt: skip
    return [path for path in wanted if not path.is_file() or not path.stat().st_size]


def check(artifacts: Path, readers: Iterable[Reader]) -> None:
    """Raises MissingModelError that names every file."""
    if lacking := missing(artifacts, readers):
        raise MissingModelError(
            "model files are missing:\n  " + "\n  ".join(map(str, lacking)),
            usually="the machine's models were never put there, or not all of them",
            next_step='put them there, or set convert.layout = false and convert.scanned = "skip" in project.toml.',
        )
