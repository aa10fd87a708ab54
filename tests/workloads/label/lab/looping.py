"""An example in the lab → archive, people and figures around it, for the tests of the whole loop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from examples import make
from examples import truth as truths
from tests.workloads.label.reviewer import Api, Reviewer
from workloads.label.records import Converted, Document, Item, Promotion, PromotionEnd, Quarantined
from workloads.label.returns.file import Roi
from workloads.label.runs import Run

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from examples.truth import Known
    from tests.workloads.label.labs import LabelLab
    from workloads.label.workspace import Workspace

SEED = 7


@dataclass
class Loop:
    """The example `kind` under a name of its own."""

    lab: LabelLab
    name: str
    folder: Path
    kind: str = "contracts"
    known: dict[str, list[Known]] = field(default_factory=dict)

    def begin(self, documents: int) -> Loop:
        """A copy of the project with an archive."""
        self.lab.project(self.name, self.folder, self.kind)
        self.archive(documents)
        return self

    def archive(self, documents: int) -> None:
        """The archive holds so many now."""
        self.known = truths.load(make.documents(self.kind, self.folder / "documents", documents, SEED))

    @property
    def work(self) -> Workspace:
        """Its workspace."""
        return self.lab.work(self.name)

    @property
    def api(self) -> Api:
        """Label Studio, as a browser speaks to it."""
        described = self.lab.site.label_studio
        assert described
        return Api(described.url, described.token_file)

    def run(self, *words: str) -> Run:
        """`spark-node label run`, which must succeed."""
        done = self.lab.node("label", "run", "--project", str(self.folder), "--json", *words)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return Run.model_validate_json(done.stdout)

    def review(self, most: int | None = None) -> Counter[str]:
        """Somebody works off what waits."""
        items = {each.id: each for each in self.work.read(Item, "items.jsonl")}

        def true(data: dict[str, Any]) -> list[tuple[int, int, str]]:
            return truths.spans(self.known[items[data["item"]].document], data["text"])

        return Reviewer(self.api, true).work(self.api.project(self.name), most)

    def tasks(self) -> list[dict[str, Any]]:
        """What stands in Label Studio."""
        return self.api.tasks(self.api.project(self.name))

    def promotions(self) -> list[Promotion]:
        """Those that ended well."""
        every = self.work.read(Promotion, "promotions.jsonl")
        return [each for each in every if each.end is PromotionEnd.SERVING]

    def roi(self) -> Roi:
        """What the exporter serves."""
        return Roi.model_validate(json.loads(self.work.path("roi.json").read_text()))

    def whole(self) -> None:
        """Every document became text or stands in quarantine, once; every item stands in Label Studio at most once."""
        found = [each.id for each in self.work.read(Document, "documents.jsonl")]
        became = [each.document for each in self.work.read(Converted, "converted.jsonl")]
        aside = [each.document for each in self.work.read(Quarantined, "quarantine.jsonl")]
        items = [each.id for each in self.work.read(Item, "items.jsonl")]
        assert sorted(found) == sorted(self.known)
        assert sorted(found) == sorted([*became, *aside])
        assert len(items) == len(set(items))
        assert self.api.duplicates(self.api.project(self.name)) == 0


def accept_rate(told: Counter[str]) -> float:
    """Of the items that were shown marked: how many nobody changed."""
    marked = told["accepted"] + told["edited"]
    return told["accepted"] / marked if marked else 0.0
