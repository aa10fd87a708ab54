"""One archive → how fast `convert` does it on one machine, and on two that share it by Ray; one table.

    python bench/scale_out.py [--documents 60] [--pages 60] [--repeat 3] [--json FILE]

The machines are namespaces of this one (simulated), each with a core of its own; one worker a machine reads the PDFs'
text layer. Seconds of the stage alone, from exec to exit. The cases take turns; both must give the same texts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from rich.console import Console
from rich.table import Table

from bench.documents import agreement
from lab import ray_machines
from tests.workloads.label.spreading.shared import Shared

if TYPE_CHECKING:
    from lab.ray_machines import Machine

ONE, TWO = "one machine, no Ray", "two machines"
GOAL = 1.5  # times as fast; 2 would be all of the second machine


def run(project: Shared, machine: Machine, *, ray: bool) -> tuple[float, dict[str, str]]:
    """Seconds of the stage, and the texts that it made; raises RuntimeError when it fails."""
    told = json.loads(machine.site_file.read_text())
    machine.site_file.write_text(json.dumps({**told, "ray": told["ray"] if ray else None}))
    shutil.rmtree(project.work.folder, ignore_errors=True)
    try:
        project.fetch()
        began = time.monotonic()
        process = project.start()
        out, err = process.communicate()
        seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError(out[-500:] + err[-2000:])
        return seconds, {name: project.text(name) for name in project.converted()}
    finally:
        machine.site_file.write_text(json.dumps(told))


def main() -> int:
    """Measure and show; 1 when the goal is missed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("documents", 60), ("pages", 60), ("repeat", 3)):
        words.add_argument(f"--{name}", type=int, default=value)
    words.add_argument("--json", type=Path)
    wanted = words.parse_args()
    seconds: dict[str, list[float]] = {ONE: [], TWO: []}
    texts = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        head, _ = stack.enter_context(ray_machines.pair(folder))
        project = Shared(folder, folder, machine=head)
        project.describe(layout=False, scanned="skip", workers=1)
        for number in range(wanted.documents):
            (folder / "documents" / f"{number}.pdf").write_bytes(agreement(number, wanted.pages))
        for _ in range(wanted.repeat):
            for case, runs in seconds.items():
                took, made = run(project, head, ray=case == TWO)
                runs.append(took)
                texts.append(made)
    same = all(each == texts[0] and len(each) == wanted.documents for each in texts)
    return shown(seconds, wanted.documents * wanted.pages, wanted.json, same=same)


def shown(seconds: dict[str, list[float]], pages: int, file: Path | None, *, same: bool) -> int:
    """The table; 1 when the goal is missed, or the texts differ."""
    table = Table(title=f"{pages:,} pages, measured here; machines simulated; load {os.getloadavg()[0]:.1f}")
    for column in ("", "seconds", "every run", "pages/s", "times"):
        table.add_column(column, justify="left" if not column else "right")
    middle = {case: statistics.median(runs) for case, runs in seconds.items()}
    ratio = middle[ONE] / middle[TWO]
    for case, runs in seconds.items():
        every = ", ".join(f"{each:.1f}" for each in runs)
        times = f"{middle[ONE] / middle[case]:.2f}"
        table.add_row(case, f"{middle[case]:.1f}", every, f"{pages / middle[case]:.1f}", times)
    met = same and ratio >= GOAL
    say = Console(highlight=False).print
    say(table)
    say(
        f"the same texts: {'yes' if same else 'NO'}; at least {GOAL} times: {'PASS' if met else 'MISSED'} ({ratio:.2f})"
    )
    if file:
        file.write_text(json.dumps({"seconds": seconds, "pages": pages, "ratio": ratio, "same": same}, indent=1))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
