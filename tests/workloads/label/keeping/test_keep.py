"""A project's records in a real store: what is there, what is sent again, who may not write over whom."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from sparkfleet.cloud.account.lifecycle import ARTIFACT_DAYS
from tests.workloads.label.keeping.kept import LABELS, KeptProject
from workloads.errors import ConfigError, LockedError, StoreError
from workloads.label.keeping import keep

if TYPE_CHECKING:
    from tests.workloads.object_store import ObjectStore


def test_records_are_kept_and_nothing_else(project: KeptProject) -> None:
    """Every record, with what the owner wrote; no text, no weights. The second time sends what changed alone."""
    first, sent = project.keep()
    again, more = project.keep()
    project.work.put("roi.json", b"changed")
    last, changed = project.keep()
    manifest = json.loads(project.object("manifests", f"{last.version}.json").read_text())

    assert sent == first.files == len(project.records())
    assert (more, changed) == (0, 1)
    assert first.version < again.version < last.version
    assert set(manifest["files"]) == set(project.records())
    assert project.work.path("project/labels.xml").read_text() == LABELS
    assert not [path for path in manifest["files"] if "model" in path or path.startswith(("texts", "parquet"))]
    assert project.told() == last


def test_what_a_bucket_is_about_to_end_is_sent_again(project: KeptProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the store ends an object by its age, the newest version names a younger one."""
    project.keep()
    assert keep.RENEWED_DAYS * 2 < ARTIFACT_DAYS

    monkeypatch.setattr(keep, "RENEWED_DAYS", -1)
    renewed, sent = project.keep()

    assert sent == renewed.files


def test_a_run_keeps_them_and_fails_for_nothing_of_it(project: KeptProject) -> None:
    """At its end, and also of a run that a stage stopped; a store that refuses is told, noted, and no failure."""
    done = project.verb("run", "--to", "fetch")
    good = project.told()
    away = project.described(bucket="nobodys").verb("run", "--to", "fetch")
    noted = project.told()
    (project.folder / "project.toml").write_text('name = "mine"\nlabels = ["A"]\n[source]\nfolder = "nowhere"\n')
    stopped = project.described().verb("run", "--to", "fetch")

    assert (done.exit_code, good.told, away.exit_code) == (0, "", 0)
    assert "its records were not kept" in away.stderr
    assert (noted.kept_at, noted.version) == (good.kept_at, good.version)
    assert "listing" in noted.told
    assert "is no folder" in str(stopped.exception)
    assert project.told().version > good.version


@pytest.mark.parametrize("fault", ["no bucket", "wrong key"])
def test_a_store_that_refuses_is_told(project: KeptProject, fault: str) -> None:
    """With its reason; what was kept last stays noted."""
    good = project.keep()[0]
    if fault == "no bucket":
        project.described(bucket="nobodys")
    else:
        other = project.folder / "key.json"
        other.write_text(json.dumps({"Version": 1, "AccessKeyId": "tests", "SecretAccessKey": "another"}))
        project.described(credentials=str(other))

    with pytest.raises(StoreError) as refused:
        project.keep()

    assert project.told().told == refused.value.what
    assert project.told().kept_at == good.kept_at


def test_an_empty_workspace_never_takes_the_place_of_what_was_kept(project: KeptProject) -> None:
    """A machine set up anew under an old name is told to restore; who wants to begin anew says so."""
    before = project.keep()[0]
    project.lose()
    run = project.verb("run", "--to", "fetch")

    assert run.exit_code == 0
    assert before.version in run.stderr
    with pytest.raises(ConfigError, match=r"that are not this workspace's"):
        project.keep()
    assert json.loads(project.object("latest.json").read_text())["version"] == before.version
    anew = project.verb("keep", "--anew", "--json")
    assert json.loads(anew.stdout)["version"] > before.version
    assert project.object("manifests", f"{before.version}.json").exists()
    assert project.keep()[1] == 0


def test_nobody_keeps_what_a_run_writes(project: KeptProject) -> None:
    """The project's lock: a version is never of two moments. The run that has it keeps them at its end."""
    said: list[str] = []
    with project.work.locked("run"), pytest.raises(LockedError):
        project.keep()
    with project.work.locked("run"):
        keep.after_run(project.place, said.append)

    assert not said
    assert not project.work.path("kept.json").exists()


def test_without_a_place_nothing_is_kept(project: KeptProject, served: ObjectStore) -> None:
    """A site as it was before: runs are as they were, and the verb says what is lacking."""
    site = json.loads(project.site_file.read_text())
    project.site_file.write_text(json.dumps({**site, "keeping": None}))
    said: list[str] = []
    keep.after_run(project.place, said.append)

    with pytest.raises(ConfigError, match="names no place"):
        project.keep()
    assert not said
    assert not project.work.path("kept.json").exists()
    assert not served.object("hosts", project.host).exists()


def test_versions_sort_by_time() -> None:
    """Also within a second."""
    moments = [dt.datetime(2026, 11, 22, 7, 9, 59, micro, tzinfo=dt.UTC) for micro in (0, 5, 999_999)]

    assert [keep.named(each) for each in moments] == sorted({keep.named(each) for each in moments})
