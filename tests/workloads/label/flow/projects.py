"""A project, a workspace and a site file in one folder; `spark-node label` on them, with this very Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.label import flow, runs
from workloads.label.stages import Context, fetch
from workloads.label.workspace import Workspace

CHECKOUT = Path(__file__).resolve().parents[4]


def silent(done: int, total: int | None, what: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Project:
    """Everything lies below `folder`."""

    folder: Path

    def write(self, source: str = 'folder = "docs"') -> Project:
        """A project.toml and a site file whose Python is ours: enough for what needs no heavy library."""
        (self.folder / "docs").mkdir(parents=True)
        (self.folder / "project.toml").write_text(f'name = "mine"\nlabels = ["A"]\n[source]\n{source}\n')
        site = {"workspace": str(self.folder / "work"), "datasets": str(self.folder / "datasets")}
        self.site_file.write_text(json.dumps({**site, "python": sys.executable}))
        return self

    @property
    def docs(self) -> Path:
        """The source."""
        return self.folder / "docs"

    @property
    def site_file(self) -> Path:
        """Where the services would be."""
        return self.folder / "site.json"

    @property
    def work(self) -> Workspace:
        """The project's workspace."""
        return Workspace(self.folder / "work" / "mine")

    def fetch(self) -> dict[str, Any]:
        """The stage in this process."""
        at = flow.place(self.folder, self.site_file)
        return fetch.run(Context(at.params, at.site, at.work, "a run", silent))

    def words(self, *verb: str) -> list[str]:
        """`spark-node label VERB` on it."""
        return [
            sys.executable, "-m", "workloads.cli", "label", *verb,
            "--project", str(self.folder), "--site", str(self.site_file),
        ]  # fmt: skip

    def node(self, *verb: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(self.words(*verb), capture_output=True, text=True, check=False, cwd=CHECKOUT, timeout=60)

    def last(self) -> runs.Run:
        """What run.json of the newest run says."""
        return runs.read(self.work, most=1)[0]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()] if listed.exists() else []


def gone(pid: int) -> bool:
    """Whether a process is no more, or only its zombie is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def reading(project: Project, runner: int) -> int | None:
    """The stage's process, once it reads the big file."""
    for pid in children(runner):
        for opened in Path(f"/proc/{pid}/fd").glob("*"):
            if os.path.realpath(opened).startswith(str(project.docs)):
                return pid
    return None
