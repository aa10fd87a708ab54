"""A project of real services whose machine dies: its records come back, and the loop goes on as if nothing had been."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.workloads.datasets.serving import contents
from tests.workloads.label.lab.looping import Loop
from tests.workloads.object_store import serving
from workloads.label import testset
from workloads.label.keeping.table import Kind, kept, kind
from workloads.label.runs import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab
    from tests.workloads.object_store import ObjectStore

pytestmark = pytest.mark.drill  # four minutes


@pytest.fixture
def loop(label_lab: LabelLab, tmp_path: Path) -> Iterator[Loop]:
    """A project in the lab, whose records are kept in a bucket of the test's own."""
    folder = tmp_path / "store"
    folder.mkdir()
    with serving(folder, "artifacts") as store:
        yield Loop(kept_in(store, label_lab, tmp_path), "restored", tmp_path / "contracts").begin(documents=16)


def kept_in(store: ObjectStore, label_lab: LabelLab, folder: Path) -> LabelLab:
    """The lab, with a site in `folder` that names the bucket."""
    site = label_lab.site.model_dump(mode="json")
    place = {"endpoint": store.endpoint, "region": "us-east-1", "bucket": "artifacts", "host": "spark-01"}
    site["keeping"] = {**place, "credentials": str(store.key_file)}
    (folder / "site.json").write_text(json.dumps(site))
    return replace(label_lab, site_file=folder / "site.json")


def status(loop: Loop) -> dict[str, Any]:
    """What `label status` counts."""
    told = json.loads(loop.lab.node("label", "status", "--project", str(loop.folder), "--json").stdout)
    return {name: told[name] for name in ("documents", "items", "quarantine", "serving", "promotions")}


def test_a_restored_project_goes_on(loop: Loop) -> None:
    """The same counts, test set and figures; texts are made again, nothing is cut, trained or published again."""
    loop.run()
    loop.review()
    loop.run()
    before, tasks, held = status(loop), loop.tasks(), testset.newest(loop.work)
    records = {path: digest for path, digest in contents(loop.work.folder).items() if kept(path)}
    assert not [path for path in contents(loop.work.folder) if kind(path) is Kind.UNKNOWN]
    shutil.rmtree(loop.work.folder)

    done = loop.lab.node("label", "restore", "--project", str(loop.folder))
    assert done.returncode == 0, done.stderr
    assert {path: digest for path, digest in contents(loop.work.folder).items() if kept(path)} == records
    after = status(loop)
    converted = before["documents"]["converted"]
    assert after == {**before, "documents": {**before["documents"], "converted": 0}}
    last = loop.run()

    told = {step.stage: step.told for step in last.steps}
    assert {step.state for step in last.steps} == {State.DONE}
    assert (told["fetch"]["new"], told["convert"]["converted"]) == (0, converted)
    assert (told["preannotate"]["new_items"], told["publish"]["published"], told["collect"]["new"]) == (0, 0, 0)
    assert str(told["finetune"]["result"]).startswith("nothing new")
    assert status(loop) == before
    assert testset.newest(loop.work) == held
    assert [task["id"] for task in loop.tasks()] == [task["id"] for task in tasks]
    loop.whole()
