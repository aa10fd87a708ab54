"""A lab with the label loop's services → projects in it, and `spark-node` run on them as a user does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.label import site as sites
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from lab.instance import Instance
    from workloads.label.site import Site

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class LabelLab:
    """`site_file` names all services; reviewing, calypso and store of the lab take `instance`."""

    instance: Instance
    site_file: Path

    @property
    def site(self) -> Site:
        """What is in the file."""
        return sites.load(self.site_file)

    def work(self, name: str) -> Workspace:
        """The workspace of a project."""
        return Workspace(self.site.workspace / name)

    def project(self, name: str, folder: Path, example: str = "contracts") -> Path:
        """A copy of an example in `folder`, called `name`: workspaces and models of tests never meet."""
        shutil.copytree(CHECKOUT / "examples" / example, folder, ignore=shutil.ignore_patterns("documents", "*.truth"))
        file = folder / "project.toml"
        file.write_text(re.sub(r'^name = ".*"', f'name = "{name}"', file.read_text(), count=1, flags=re.MULTILINE))
        return folder

    def node(self, *words: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """`spark-node WORDS` with the lab's site file; never raises for its status."""
        return subprocess.run(
            [sys.executable, "-m", "workloads.cli", *words],
            capture_output=True, text=True, timeout=timeout_s, check=False, cwd=CHECKOUT, env=self.environment(),
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """For a process that shall find the services."""
        return {**os.environ, "SPARKFLEET_LABEL_SITE": str(self.site_file)}
