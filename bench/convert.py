"""One archive → how fast it is converted, by the stage `convert` and by Docling's own converter; one table.

    python bench/convert.py [--documents 12] [--pages 60] [--repeat 3] [--json FILE]

The peer is a plain loop over Docling's DocumentConverter, the same pipeline and models in one process, as its command
line does: no containment, no resume, no checks. Both read PDFs with the lab's tiny layout model (simulated: its speed
is not the real one's, and a real one makes the share of everything else smaller). Pages a second from the start of the
process to its end, imports included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from rich.console import Console
from rich.table import Table

from bench.documents import agreement
from lab import environments, models
from lab.instance import CHECKOUT

OURS, PLAIN, WORDS = "convert", "docling", "convert, text layer only"
PEER = """
import pathlib, sys
from workloads.label.converting.readers import Place, layout
converter = layout._converter(Place(pathlib.Path(), pathlib.Path(sys.argv[1]), int(sys.argv[3])))
for file in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    result = converter.convert(file, raises_on_error=False)
    file.with_suffix(".md").write_text(result.document.export_to_markdown())
"""


def archive(folder: Path, documents: int, pages: int) -> Path:
    """So many agreements of so many pages."""
    (folder / "documents").mkdir(parents=True)
    for number in range(documents):
        (folder / "documents" / f"{number}.pdf").write_bytes(agreement(number, pages))
    return folder


def ours(folder: Path, artifacts: Path, *, layout: bool) -> list[list[str]]:
    """What converts the archive: fetch and convert."""
    (folder / "project.toml").write_text(
        'name = "bench"\nlabels = ["PARTY"]\n[source]\nfolder = "documents"\n[convert]\nscanned = "skip"\n'
        f"layout = {json.dumps(layout)}\n"
    )
    (folder / "site.json").write_text(json.dumps({"workspace": str(folder / "work"), "artifacts": str(artifacts)}))
    stage = [python(), "-m", "workloads.label.stage"]
    where = ["--project", str(folder), "--site", str(folder / "site.json")]
    return [[*stage, "fetch", *where], [*stage, "convert", *where]]


def python() -> str:
    """Of the environment `label`."""
    return str(environments.python(environments.ensure("label")))


def seconds(commands: list[list[str]]) -> float:
    """How long they take, one after the other."""
    began = time.monotonic()
    for command in commands:
        subprocess.run(
            command, cwd=CHECKOUT, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}
        )
    return time.monotonic() - began


def main() -> None:
    """Take turns, tell the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    artifacts, pages = models.ensure(names=("layout",)), chosen.documents * chosen.pages
    rates: dict[str, list[float]] = {OURS: [], PLAIN: [], WORDS: []}
    for _ in range(chosen.repeat):
        for name, found in rates.items():
            with tempfile.TemporaryDirectory() as scratch:
                folder = archive(Path(scratch) / "bench", chosen.documents, chosen.pages)
                peer = [[python(), "-c", PEER, str(artifacts), str(folder / "documents"), str(os.cpu_count())]]
                found.append(pages / seconds(peer if name == PLAIN else ours(folder, artifacts, layout=name == OURS)))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    table = Table(
        "", "pages/s", "least", "most", "to docling", title=f"{pages} pages, {chosen.repeat} turns (simulated)"
    )
    for name, found in rates.items():
        told = (middle[name], min(found), max(found), middle[name] / middle[PLAIN])
        table.add_row(name, *(f"{value:.2f}" for value in told))
    Console().print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps({"pages": pages, "rates": rates}, indent=1))


if __name__ == "__main__":
    main()
