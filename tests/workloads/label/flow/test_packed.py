"""The loop from the one file that hosts have of the project: stages, caged workers, the page of a run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab import environments
from sparkfleet.host.bundle import zipapp_bytes
from sparkfleet.host.parts import SPARK_NODE
from sparkfleet.host.sources import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

DESCRIBED = 'name = "packed"\nlabels = ["PARTY"]\n[source]\nfolder = "documents"\n[convert]\nlayout = false\n'


@pytest.fixture
def packed(tmp_path: Path) -> list[str]:
    """`spark-node label` as a host starts it, and a project of one document."""
    python = environments.python(environments.ensure("label"))
    (tmp_path / "spark-node.pyz").write_bytes(zipapp_bytes(PROJECT, SPARK_NODE.package, SPARK_NODE.libraries))
    (tmp_path / "site.json").write_text(json.dumps({"workspace": str(tmp_path / "work"), "python": str(python)}))
    (tmp_path / "project/documents").mkdir(parents=True)
    (tmp_path / "project/project.toml").write_text(DESCRIBED)
    (tmp_path / "project/labels.xml").write_text("<View/>")
    (tmp_path / "project/documents/one.html").write_text("<h1>Oak</h1><p>Oak Ltd owes Elm Ltd ten pounds.</p>")
    return [sys.executable, "-I", str(tmp_path / "spark-node.pyz"), "label"]


def test_the_loop_runs_from_the_file_that_hosts_have(packed: list[str], tmp_path: Path) -> None:
    """A document becomes text in a worker that may read the file, and little else; the run gets its page."""
    where = ["--project", str(tmp_path / "project"), "--site", str(tmp_path / "site.json")]
    done = subprocess.run(
        [*packed, "run", *where, "--to", "convert"], cwd="/", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    work = tmp_path / "work/packed"
    [converted] = [json.loads(line) for line in (work / "converted.jsonl").read_text().splitlines()]
    assert "Oak Ltd owes Elm Ltd" in (work / converted["text"]).read_text()
    assert len(list(work.glob("runs/*/report.html"))) == 1
