"""Projects' figures in a workspace → the real exporter as a process of its own, and what it says."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKOUT = Path(__file__).resolve().parents[3]
DEADLINE_S = 30.0
Key = tuple[str, frozenset[tuple[str, str]]]


class Running:
    """One exporter; `stop` ends it."""

    def __init__(self, folder: Path, program: Sequence[str] = (sys.executable, "-m", "exporters.roi")) -> None:
        self.workspace, self.log = folder / "label", folder / "log"
        self.workspace.mkdir(exist_ok=True)
        flags = ["--web.listen-address=127.0.0.1:0", f"--path.workspace={self.workspace}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*program, *flags], stderr=log, cwd=CHECKOUT)
        end = time.monotonic() + DEADLINE_S
        while not (found := re.search(r"listening on \S+ port (\d+)", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        self.port = int(found[1])

    def put(self, project: str, text: str) -> None:
        """A project's figures."""
        (self.workspace / project).mkdir(exist_ok=True)
        (self.workspace / project / "roi.json").write_text(text)

    def scrape(self) -> str:
        """The exposition, as Prometheus gets it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=DEADLINE_S) as answer:
            return str(answer.read().decode())

    def stop(self) -> int:
        """End it as systemd does; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=DEADLINE_S)


def values(text: str) -> dict[Key, float]:
    """An exposition's samples of ours, without their prefix."""
    return {
        (sample.name.removeprefix("sparkfleet_roi_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("sparkfleet_roi_")
    }


def key(metric: str, **labels: str) -> Key:
    """A sample's place in `values`."""
    return metric, frozenset(labels.items())
