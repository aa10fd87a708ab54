"""Projects' figures in a workspace → the real exporter as a process of its own, and what it says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.exporters.running import Exporter

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[str, frozenset[tuple[str, str]]]


class Running(Exporter):
    """The exporter on a workspace below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "label"
        self.workspace.mkdir(exist_ok=True)
        super().__init__([sys.executable, "-m", "exporters.roi", f"--path.workspace={self.workspace}"], folder / "log")

    def put(self, project: str, text: str) -> None:
        """A project's figures."""
        (self.workspace / project).mkdir(exist_ok=True)
        (self.workspace / project / "roi.json").write_text(text)

    def put_kept(self, project: str, text: str) -> None:
        """What became of keeping a project's records."""
        (self.workspace / project).mkdir(exist_ok=True)
        (self.workspace / project / "kept.json").write_text(text)

    def put_run(self, project: str, kind: str, text: str) -> None:
        """What became of a recurring run of a project."""
        (self.workspace / project / "recurring").mkdir(parents=True, exist_ok=True)
        (self.workspace / project / "recurring" / f"{kind}.json").write_text(text)


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
