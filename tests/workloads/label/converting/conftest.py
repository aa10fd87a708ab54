"""A project whose archive a test fills, and the stage `convert` as a user runs it: in the environment `label`."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from lab import environments
from lab.instance import CHECKOUT
from workloads.label import params as projects
from workloads.label import site as sites
from workloads.label.records import Converted, Document, Quarantined
from workloads.label.stages import Context, fetch
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WITHIN_S = 300.0


@dataclass
class Archive:
    """A project and its documents."""

    folder: Path
    artifacts: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> Workspace:
        """Where its records lie."""
        return Workspace(self.folder / "work" / "archive")

    def put(self, **files: bytes) -> None:
        """Documents by name, with two underscores for the dot, and fetch."""
        for name, data in files.items():
            (self.folder / "documents" / name.replace("__", ".")).write_bytes(data)
        self.fetch()

    def fetch(self) -> None:
        """Find what lies in the archive."""
        context = Context(projects.load(self.folder), self.site, self.work, "run", lambda *_: None)
        fetch.run(context)

    @property
    def site(self) -> sites.Site:
        """The machine."""
        return sites.Site(workspace=self.folder / "work", artifacts=self.artifacts)

    def describe(self, **settings: Any) -> None:
        """Write project.toml with these settings of `convert`, added to those before."""
        self.settings |= settings
        told = "\n".join(f"{name} = {json.dumps(value)}" for name, value in self.settings.items())
        (self.folder / "documents").mkdir(exist_ok=True)
        (self.folder / "project.toml").write_text(
            f'name = "archive"\nlabels = ["PARTY"]\n[source]\nfolder = "documents"\n[convert]\n{told}\n'
        )
        (self.folder / "site.json").write_text(self.site.model_dump_json())

    def start(self) -> subprocess.Popen[str]:
        """The stage, on its way."""
        command = [str(label_python()), "-m", "workloads.label.stage", "convert"]
        command += ["--project", str(self.folder), "--site", str(self.folder / "site.json")]
        return subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )  # fmt: skip

    def convert(self) -> dict[str, Any]:
        """The stage's last word: its report or its error."""
        process = self.start()
        out, err = process.communicate(timeout=WITHIN_S)
        assert out, err
        return dict(json.loads(out.splitlines()[-1]))

    def names(self) -> dict[str, str]:
        """Documents by their digest."""
        return {each.id: each.path for each in self.work.read(Document, "documents.jsonl")}

    def converted(self) -> dict[str, Converted]:
        """By name."""
        names = self.names()
        return {names[each.document]: each for each in self.work.read(Converted, "converted.jsonl")}

    def aside(self) -> dict[str, Quarantined]:
        """By name."""
        names = self.names()
        return {names[each.document]: each for each in self.work.read(Quarantined, "quarantine.jsonl")}

    def text(self, name: str) -> str:
        """What people would read of a document."""
        return self.work.path(self.converted()[name].text).read_text(encoding="utf-8")

    def ends(self) -> Counter[str]:
        """How many records each document has; one is right."""
        names = self.names()
        converted = [each.document for each in self.work.read(Converted, "converted.jsonl")]
        aside = [each.document for each in self.work.read(Quarantined, "quarantine.jsonl")]
        return Counter(names[each] for each in [*converted, *aside])


def label_python() -> Path:
    """The interpreter of the environment `label`."""
    return environments.python(environments.ensure("label"))


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Archive]:
    """An empty archive with these settings; PDFs are read without models unless a test says so."""

    def make(artifacts: Path = tmp_path / "models", **settings: Any) -> Archive:
        made = Archive(tmp_path, artifacts)
        made.describe(**{"layout": False, "scanned": "skip", "workers": 2, **settings})
        return made

    return make


@pytest.fixture(scope="session")
def label_environment() -> None:
    """Made before a test's clock runs."""
    label_python()
