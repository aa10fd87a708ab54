"""What a machine sends for a document is put down only if it is what its record names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.instance import CHECKOUT
from tests.workloads.label.converting.conftest import label_python
from workloads.errors import ConfigError
from workloads.label.site import Ray
from workloads.label.spreading import crew

# Run in the environment of the stages: how each answer ended, and which files there are afterwards.
TAKEN = """
import datetime as dt, hashlib, json, pathlib, sys
from workloads.label import params, site
from workloads.label.converting.desk import Desk
from workloads.label.records import Converted, Document
from workloads.label.spreading.documents import Documents
from workloads.label.spreading.hand import Said
from workloads.label.stages import Context
from workloads.label.workspace import Workspace
folder, text = pathlib.Path(sys.argv[1]), b"words"
(folder / "project.toml").write_text('name = "p"\\nlabels = ["A"]\\n[source]\\nfolder = "."\\n')
work, one = Workspace(folder / "work"), "0" * 64
context = Context(params.load(folder), site.Site(), work, "run", lambda *_: None)
at = dt.datetime.now(dt.UTC)
todo = {one: Document(id=one, path="a.txt", size_bytes=5, source="s", fetched_at=at)}
job = Documents(context, Desk(context), todo)
def record(name):
    digest = hashlib.sha256(text).hexdigest()
    return Converted(document=one, backend="b", text=name, text_sha256=digest, pages=0, seconds=0)
good = f"texts/{one}.txt"
for name, files in (
    (good, {good: b"other words"}), (good, {}), ("../out", {"../out": text}), (good, {good: text, "../out": b""}),
    (good, {good: text}),
):
    try:
        job.take([Said("converted.jsonl", record(name).model_dump_json().encode(), files)])
        print(json.dumps("taken"))
    except ValueError as error:
        print(json.dumps("refused"))
    print(json.dumps(sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())))
"""


def test_a_text_that_is_not_the_records_and_a_file_of_another_name_are_refused(tmp_path: Path) -> None:
    """Other words, none, a way out of the workspace, one file too many: nothing is written; the fifth is put down."""
    words = [str(label_python()), "-c", TAKEN, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said[:8] == ["refused", ["project.toml"]] * 4
    assert said[8:] == ["taken", ["project.toml", "work/converted.jsonl", f"work/texts/{'0' * 64}.txt"]]


def test_without_its_environment_rays_absence_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which folder has none, and that the machine works alone without it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(os, "environ", {})
    site = Ray(address="10.0.0.1:9820", own_address="10.0.0.1", token_file=Path("/token"), packages=tmp_path)
    with pytest.raises(ConfigError, match="has none either") as raised:
        crew.imported(site)
    assert "works alone" in raised.value.next_step
