"""Kept records come back into an empty workspace, all of them, checked; or nothing has changed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.keeping.kept import KeptProject
from workloads.errors import ConfigError, DamagedError, StoreError
from workloads.label.keeping import record
from workloads.label.records import Document
from workloads.label.recurring import record as recurring

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.object_store import ObjectStore


def test_what_was_kept_comes_back(project: KeptProject) -> None:
    """Byte for byte; status counts what it counted; the next run goes on, and keeps without sending it all again."""
    (project.docs / "a.txt").write_text("first")
    project.fetch()
    before, kept = project.counts(), project.keep()[0]
    records = project.records()
    project.lose()
    came = json.loads(project.verb("restore", "--json").stdout)

    assert (came["version"], came["files"]) == (kept.version, len(records))
    assert project.records() == records
    after = project.counts()
    assert (after.arms, after.published, after.reviewed) == (before.arms, before.published, before.reviewed)
    assert (after.found, after.aside) == (before.found, before.aside)
    assert project.verb("run", "--to", "fetch").exit_code == 0
    assert project.last().steps[0].told["new"] == 0
    assert len(project.work.read(Document, "documents.jsonl")) == before.found
    assert project.told().version > kept.version
    assert project.keep()[1] == 0


def test_only_into_an_empty_workspace(project: KeptProject) -> None:
    """What there is is not mixed with what comes; a timer's note is no project, and stays."""
    project.keep()
    records = project.records()
    with pytest.raises(ConfigError, match="is not empty"):
        project.restore()
    assert project.records() == records

    note = project.work.path("recurring", "1.json")
    said = note.read_bytes()
    for each in project.work.folder.iterdir():
        if each.name != recurring.FOLDER:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    project.restore()

    assert project.records() == records
    assert note.read_bytes() == said


def test_another_hosts_records(project: KeptProject, served: ObjectStore, tmp_path: Path) -> None:
    """A replacement of another name brings them by the old name, and keeps them under its own."""
    project.keep()
    other = KeptProject(tmp_path / "other", served).described()
    with pytest.raises(StoreError, match="no records of mine"):
        other.restore()
    with pytest.raises(ConfigError, match="no host's name"):
        other.restore("../else")
    assert not other.records()
    other.restore(project.host)
    theirs = other.records()

    assert theirs == project.records()
    assert record.read(other.work) is None
    assert other.keep()[1] == len(theirs)


@pytest.mark.parametrize("fault", ["another content", "shorter", "gone", "manifest"])
def test_damage_is_found_and_nothing_comes(project: KeptProject, fault: str) -> None:
    """Whatever is not as it was kept; an older version that is whole can still be had, and is gone on from."""
    old = project.keep()[0]
    records = project.records()
    project.work.put("roi.json", b"newer")
    new = project.keep()[0]
    target = project.object("data", new.version, "roi.json")
    if fault == "manifest":
        target = project.object("manifests", f"{new.version}.json")
        target.write_bytes(target.read_bytes().replace(b"reviews.jsonl", b"previews.json", 1))
    elif fault == "gone":
        target.unlink()
    else:
        target.write_bytes(b"wrong" if fault == "another content" else b"new")
    project.lose()

    with pytest.raises(DamagedError) as found:
        project.restore()
    assert not project.records()
    assert [each.name for each in project.work.folder.parent.iterdir()] == ["mine"]
    assert old.version in found.value.next_step
    project.restore(version=old.version)
    assert project.records() == records
    last, sent = project.keep()
    assert last.version > new.version
    assert sent == last.files


def test_a_store_that_is_away_changes_nothing(project: KeptProject) -> None:
    """The workspace is as empty as before, and the same command works when it is back."""
    project.keep()
    records = project.records()
    project.lose()
    project.described(endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreError):
        project.restore()
    assert not project.records()

    project.described().restore()
    assert project.records() == records
