"""The label loop's records, kept and restored with the keys that hosts get, in a store that enforces policies."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.cloud import contents, onprem
from sparkfleet.fitness.keeping import Keep
from sparkfleet.fitness.label import Label
from sparkfleet.host.parts.label import site
from workloads.errors import StoreError
from workloads.label import flow
from workloads.label.keeping import keep, restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparkfleet.model import Fleet


@pytest.fixture
def machines(
    fleet: Fleet, tmp_path: Path, told_identity: Callable[..., Any], inputs_of_bucket: Callable[..., Any]
) -> dict[str, flow.Place]:
    """A project on either host, with the place and the key that the fleet describes; spark-02 is spark-01's heir."""
    fleet = fleet.model_copy(update={"label": Label(keep=Keep(heirs={"spark-02": "spark-01"}))})
    for purpose in ("datasets", "artifacts"):
        onprem.BucketProvider().create(inputs_of_bucket(fleet, purpose))
    found = {}
    for host in ("spark-01", "spark-02"):
        onprem.IdentityProvider().create(told_identity(fleet, contents.host_identity(fleet, host)))
        folder = tmp_path / host
        folder.mkdir()
        (folder / "project.toml").write_text('name = "mine"\nlabels = ["A"]\n[source]\nfolder = "docs"\n')
        place = {**(site(fleet, host)["keeping"]), "credentials": str(fleet.controller.store_key(host))}
        told = {"workspace": str(folder / "work"), "python": sys.executable, "keeping": place}
        (folder / "label.json").write_text(json.dumps(told))
        found[host] = flow.place(folder, folder / "label.json")
    return found


def test_a_hosts_own_key_keeps_and_restores_and_only_an_heir_reads_anothers(machines: dict[str, flow.Place]) -> None:
    """What the policies allow is what keeping takes, also the very first time, when nothing is there to be read."""
    mine, heir = machines["spark-01"], machines["spark-02"]
    mine.work.put("reviews.jsonl", b"")
    mine.work.put("roi.json", b"x" * (20 << 20))  # in parts
    heir.work.put("reviews.jsonl", b"")
    assert keep.keep(mine)[1] == 3
    assert keep.keep(heir)[1] == 2
    for at in (mine, heir):
        at.work.folder.rename(at.work.folder.with_name("lost"))

    with pytest.raises(StoreError, match="refuses this key"):
        restore.restore(mine, "spark-02")
    assert restore.restore(heir, "spark-01").files == 3
    assert restore.restore(mine).files == 3
    assert heir.work.path("roi.json").read_bytes() == mine.work.path("roi.json").read_bytes()
    assert keep.keep(mine)[1] == 0
