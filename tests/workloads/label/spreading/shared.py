"""An archive whose project is run on the first of two machines that share work."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.instance import CHECKOUT
from tests.workloads.label.converting import documents
from tests.workloads.label.converting.conftest import Archive, label_python
from workloads.label import site as sites
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from lab.ray_machines import Machine


@dataclass
class Shared(Archive):
    """`machine` is the head."""

    machine: Machine | None = None

    @property
    def site(self) -> sites.Site:
        """The head's."""
        assert self.machine
        return sites.load(self.machine.site_file)

    @property
    def work(self) -> Workspace:
        """On the head."""
        return Workspace(self.site.workspace / "archive")

    def start(self, stage: str = "convert") -> subprocess.Popen[str]:
        """The stage, on the head."""
        assert self.machine
        words = ["-m", "workloads.label.stage", stage, "--project", self.folder, "--site", self.machine.site_file]
        return subprocess.Popen(
            self.machine.words(label_python(), *words), cwd=CHECKOUT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )  # fmt: skip


def papers(count: int) -> dict[str, bytes]:
    """Documents of several formats; two of them nobody can read."""
    pages = {n: [[f"Paper {n}, page {page}."] for page in range(20)] for n in range(count)}
    return {
        **{f"paper{n}__pdf": documents.pdf(*of) for n, of in pages.items()},
        "lease__docx": documents.docx("Acme rents to Ada.", table=[["due", "rent"], ["1 May", "500"]]),
        "rows__csv": b"name,n\n" + b"".join(b"row %d,%d\n" % (n, n) for n in range(3000)),
        "words__txt": b"Just words.",
        "empty__pdf": b"",
        "noise__pdf": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    }  # fmt: skip
