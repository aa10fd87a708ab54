"""A project whose site names a place for its records: filled as the loop fills it, kept, lost and restored."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from tests.workloads.datasets.serving import contents, write
from tests.workloads.label.flow.projects import Project
from tests.workloads.label.returns import archive
from workloads.label import flow, status, testset
from workloads.label.commands import label
from workloads.label.keeping import keep, record, restore
from workloads.label.keeping.table import KEPT, MADE_AGAIN, kept

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.workloads.object_store import ObjectStore
    from workloads.label.keeping.record import Kept

BUCKET, LABELS = "artifacts", '<View><Text name="text" value="$text"/></View>\n'


@dataclass(frozen=True)
class KeptProject(Project):
    """`host` is the last part of the folder's name, so that each test has a prefix of its own."""

    served: ObjectStore

    @property
    def host(self) -> str:
        """What the machine is called."""
        return "h" + re.sub(r"[^a-z0-9]", "-", self.folder.name.lower())

    def described(self, **changed: Any) -> KeptProject:
        """With a place for the records."""
        if not self.docs.exists():
            self.write()
        site = json.loads(self.site_file.read_text())
        place = {
            "endpoint": self.served.endpoint, "region": "us-east-1", "bucket": BUCKET, "host": self.host,
            "credentials": str(self.served.key_file),
        }  # fmt: skip
        self.site_file.write_text(json.dumps({**site, "keeping": {**place, **changed}}))
        return self

    def filled(self) -> KeptProject:
        """Real records of four months, and a file of every other kind."""
        known = archive.known()
        for name, records in (
            ("documents", known.documents), ("items", known.items), ("published", known.published),
            ("reviews", known.reviews), ("promotions", known.promotions),
        ):  # fmt: skip
            self.work.replace(f"{name}.jsonl", records)
        if held := testset.grown(None, known.items, known.reviews):
            testset.write(self.work, held)
        (self.folder / "labels.xml").write_text(LABELS)
        write(self.work.folder, {path: path.encode() for path in every_kind() if not self.work.path(path).exists()})
        return self

    def verb(self, *words: str) -> Result:
        """`spark-node label …` on it, in this process."""
        where = ["--project", str(self.folder), "--site", str(self.site_file)]
        return CliRunner().invoke(label, [*words, *where])

    @property
    def place(self) -> flow.Place:
        """As the verbs see it."""
        return flow.place(self.folder, self.site_file)

    def keep(self) -> tuple[Kept, int]:
        """What was noted, and how many files were sent."""
        return keep.keep(self.place)

    def restore(self, host: str = "", version: str = "") -> restore.Restored:
        """Into the workspace."""
        return restore.restore(self.place, host, version)

    def lose(self) -> None:
        """The machine's disk."""
        shutil.rmtree(self.work.folder, ignore_errors=True)

    def told(self) -> Kept:
        """What kept.json says."""
        found = record.read(self.work)
        assert found
        return found

    def records(self) -> dict[str, str]:
        """Every file that is kept, and its digest."""
        return {path: digest for path, digest in contents(self.work.folder).items() if kept(path)}

    def counts(self) -> status.Counts:
        """What `label status` counts."""
        return status.counted(self.work)

    def object(self, *parts: str) -> Path:
        """An object of the records on the store's disk."""
        return self.served.object("hosts", self.host, "label", "mine", *parts)


def every_kind() -> list[str]:
    """A path for each pattern of the table, but for what the loop's own records stand for."""
    return [
        pattern.replace("/**", "/deep/file").replace("v*", "v001").replace("*", "1")
        for pattern in (*KEPT, *MADE_AGAIN)
        if not pattern.endswith(("lock", "kept.json", ".jsonl")) and not pattern.startswith("project")
    ]
