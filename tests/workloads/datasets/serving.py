"""A real store on loopback → data sets published to it and mirrored from it, as the tests do."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.datasets import config as configs
from workloads.datasets import publish as publishing
from workloads.datasets.library import locked
from workloads.datasets.progress import Progress
from workloads.datasets.store import Store
from workloads.datasets.sync import sync

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.workloads.object_store import ObjectStore
    from workloads.datasets.sync import Outcome

BUCKET, NAME = "tests", "mix"
PROJECT = Path(__file__).resolve().parents[3]
PART_BYTES = 1 << 20


@dataclass
class Mirror:
    """A host's folder, and the configuration that fills it from `served`."""

    served: ObjectStore
    folder: Path
    key_file: Path
    prefix: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def plain(self) -> dict[str, Any]:
        """The configuration file's content."""
        at = {"endpoint": self.served.endpoint, "region": "us-east-1", "profile": ""}
        return {
            "folder": str(self.folder),
            "connections": 4,
            "store": {**at, "credentials": str(self.key_file)},
            "sets": {NAME: {"bucket": BUCKET, "prefix": self.prefix, "version": "latest"}},
            **self.settings,
        }

    @property
    def shelf(self) -> Path:
        """Where the data set's versions lie."""
        return self.folder / NAME

    @property
    def current(self) -> Path:
        """What people read."""
        return self.shelf / "current"

    def publish(self, source: Path, version: str) -> int:
        """How many files were sent."""
        config = configs.parse(self.plain)
        wanted = config.sets[NAME]
        to = publishing.Sending(Store(config.store, wanted.bucket), wanted, Progress(), 4, PART_BYTES)
        return publishing.publish(to, source, version)[1]

    def sync(self, *, verify: bool = False, patience_s: float = 0.0, version: str = "latest") -> Outcome:
        """One run, in this process."""
        plain = self.plain
        plain["sets"][NAME]["version"] = version
        config = configs.parse(plain)
        with locked(config.folder):
            return sync(config, config.sets[NAME], Progress(), verify=verify, patience_s=patience_s)

    def words(self, *words: str) -> list[str]:
        """`spark-node datasets …` as a process, with this configuration."""
        file = self.key_file.with_name("datasets.json")
        file.write_text(json.dumps(self.plain))
        return [sys.executable, "-m", "workloads", "datasets", *words, "--config", str(file)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same, run to its end."""
        env = {**os.environ, "PYTHONPATH": str(PROJECT)}
        return subprocess.run(self.words(*words), env=env, capture_output=True, text=True, timeout=120, check=False)


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with these files alone."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder and its digest."""
    files = sorted(each for each in folder.resolve().rglob("*") if not each.is_dir())
    return {str(each.relative_to(folder.resolve())): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
