"""One archive of PDFs → how fast and in how much memory it becomes text, by the stage `convert` and by `docling`.

    python bench/docling.py [--documents 24] [--pages 25] [--repeat 3] [--json FILE]

The peer is Docling's own command line with as many threads as there are cores, on the same files with the same pipeline
(no OCR, no tables) and the lab's tiny layout model (simulated: a real one makes its share greater). Both are whole
commands, imports included; what one page takes alone is told apart as start-up. Memory is the proportional share (PSS)
of all processes of a command together, at its peak. Each document must have the same text by both; one that has more
pages than a slice could differ where a paragraph goes on from slice to slice, so none has.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed
sys.path.remove(str(Path(__file__).resolve().parent))  # this file is not the library of that name

from rich.console import Console
from rich.table import Table

from bench.documents import agreement
from bench.measure import Run, process
from lab import environments, models
from lab.instance import CHECKOUT

OURS, SERVED, PLAIN = "convert", "convert, models' server", "docling"
FASTER, LOOK_EVERY_S = 1.5, 0.25
PEER = """
from workloads.label.converting.readers.layout import without_torchvision
without_torchvision()
from docling.cli.main import app
app()
"""
TEXTS = """
import json, pathlib, sys
from docling_core.types.doc import DoclingDocument
from workloads.label.converting.checks import clean
from workloads.label.converting.readers.document import parts
from workloads.label.converting.shelf import BETWEEN
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    found = parts(DoclingDocument.load_from_json(file))
    file.with_suffix(".txt").write_text(BETWEEN.join(t for part in found if (t := clean(part.text).strip())) + "\\n")
"""


@dataclass(frozen=True)
class Turn:
    """One command: how long it took, and the most memory that it had."""

    run: Run
    peak_mib: float
    texts: dict[str, str]  # by document


def archive(folder: Path, documents: int, pages: int) -> None:
    """So many agreements of so many pages."""
    (folder / "documents").mkdir(parents=True)
    for number in range(documents):
        (folder / "documents" / f"{number}.pdf").write_bytes(agreement(number, pages))


def turn(name: str, documents: int, pages: int, artifacts: Path) -> Turn:
    """Convert a new archive."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bench"
        archive(folder, documents, pages)
        return peer(folder, artifacts) if name == PLAIN else ours(folder, artifacts, name)


def ours(folder: Path, artifacts: Path, name: str) -> Turn:
    """Fetch, which is not measured, and convert."""
    (folder / "project.toml").write_text(
        'name = "bench"\nlabels = ["PARTY"]\n[source]\nfolder = "documents"\n[convert]\nscanned = "skip"\n'
        f'models = "{"server" if name == SERVED else "worker"}"\n'
    )
    (folder / "site.json").write_text(json.dumps({"workspace": str(folder / "work"), "artifacts": str(artifacts)}))
    stage = [python(), "-m", "workloads.label.stage"]
    where = ["--project", str(folder), "--site", str(folder / "site.json")]
    process([*stage, "fetch", *where], environment())
    run, peak = measured([*stage, "convert", *where])
    work = folder / "work" / "bench"
    names = {each["id"]: each["path"] for each in records(work / "documents.jsonl")}
    found = {names[each["document"]]: (work / each["text"]).read_text() for each in records(work / "converted.jsonl")}
    return Turn(run, peak, {Path(path).stem: text for path, text in found.items()})


def peer(folder: Path, artifacts: Path) -> Turn:
    """Docling's command; its words are taken from its JSON as ours are from its pipeline."""
    out = folder / "out"
    run, peak = measured([
        python(), "-c", PEER, "--from", "pdf", "--to", "json", "--no-ocr", "--no-tables", "--image-export-mode",
        "placeholder", "--artifacts-path", str(artifacts), "--num-threads", str(os.cpu_count()), "--device", "cpu",
        "--output", str(out), str(folder / "documents"),
    ])  # fmt: skip
    process([python(), "-c", TEXTS, str(out)], environment())
    return Turn(run, peak, {file.stem: file.read_text() for file in out.glob("*.txt")})


def records(file: Path) -> list[dict[str, str]]:
    """Of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def python() -> str:
    """Of the environment `label`."""
    return str(environments.python(environments.ensure("label")))


def environment() -> dict[str, str]:
    """Both find our packages; neither asks a server for models."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "HF_HUB_OFFLINE": "1"}


def measured(command: list[str]) -> tuple[Run, float]:
    """A command's time, and the peak of its memory in MiB while it ran."""
    peak, over = 0.0, threading.Event()

    def look() -> None:
        nonlocal peak
        while not over.wait(LOOK_EVERY_S):
            peak = max(peak, sum(pss(pid) for pid in tree(os.getpid())) / 1024)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        return process(command, environment()), peak
    finally:
        over.set()
        looking.join()


def tree(root: int) -> list[int]:
    """All that descend from a process."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid for pid, parent in parents.items() if parent == root]
    for pid in found:
        found += [each for each, parent in parents.items() if parent == pid]
    return found


def pss(pid: int) -> int:
    """KiB of memory; what several share is divided among them. 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def main() -> None:
    """Take turns, tell the medians; ends with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=24)
    parser.add_argument("--pages", type=int, default=25)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    artifacts, pages = models.ensure(names=("layout",)), chosen.documents * chosen.pages
    names = (PLAIN, OURS, SERVED)
    begun = {name: turn(name, 1, 1, artifacts).run.wall_s for name in names}
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    for _ in range(chosen.repeat):
        for name, found in turns.items():
            found.append(turn(name, chosen.documents, chosen.pages, artifacts))
    wall = {name: statistics.median(each.run.wall_s for each in found) for name, found in turns.items()}
    peak = {name: max(each.peak_mib for each in found) for name, found in turns.items()}
    rates = {name: pages / wall[name] for name in names}
    table = Table(
        "", "pages/s", "to docling", "without start-up", "start-up s", "CPU s", "peak MiB", "runs, s",
        title=f"{pages} pages in {chosen.documents} PDFs, {os.cpu_count()} cores, layout model simulated",
    )  # fmt: skip
    for name, found in turns.items():
        cpu = statistics.median(each.run.cpu_s for each in found)
        steady = (pages - 1) / max(0.1, wall[name] - begun[name])
        table.add_row(
            name, f"{rates[name]:.2f}", f"{rates[name] / rates[PLAIN]:.2f}", f"{steady:.2f}", f"{begun[name]:.1f}",
            f"{cpu:.0f}", f"{peak[name]:.0f}", " ".join(f"{each.run.wall_s:.1f}" for each in found),
        )  # fmt: skip
    Console(width=120).print(table)
    every = [each.texts for found in turns.values() for each in found]
    ratio = rates[OURS] / rates[PLAIN]
    same = len(every[0]) == chosen.documents and all(each == every[0] for each in every)
    reached = {
        f"{ratio:.2f} x docling's pages/s (goal {FASTER})": ratio >= FASTER,
        f"{peak[OURS]:.0f} MiB at the peak, docling {peak[PLAIN]:.0f} (goal: no more)": peak[OURS] <= peak[PLAIN],
        f"the same text of {len(every[0])} documents": same,
    }
    for words, held in reached.items():
        print(f"{'PASS' if held else 'MISSED'}: {words}")
    if chosen.json:
        told = {name: [{"wall_s": t.run.wall_s, "cpu_s": t.run.cpu_s, "peak_mib": t.peak_mib} for t in found]
                for name, found in turns.items()}  # fmt: skip
        chosen.json.write_text(json.dumps({"pages": pages, "start_s": begun, "turns": told}, indent=1))
    sys.exit(not all(reached.values()))


if __name__ == "__main__":
    main()
