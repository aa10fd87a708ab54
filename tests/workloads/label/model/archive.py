"""A seed → a project whose documents are converted, and whose reviewers know what is in them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.instance import CHECKOUT
from workloads.label import testset
from workloads.label.records import Arm, Converted, Document, Item, Review, Span
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
PROJECT = """
name = "letters"
labels = ["NAME", "DATE"]
[source]
folder = "documents"
[preannotate]
item_characters = 400
window_tokens = 48
overlap_tokens = 12
least_score = 0.0
[publish]
test_share = 0.3
control_share = 0.2
[finetune]
learning_rate = 3e-3
epochs = 16
batch = 8
save_steps = 10
least_new_reviews = 3
[gate]
least_documents = 2
"""
NAMES = ["Ada Lovelace", "Alan Turing", "Grace Hopper", "Barbara Liskov", "Ken Thompson", "Edsger Dijkstra"]
WORDS = ["letter", "about", "engines", "and", "numbers", "was", "sent", "again", "by", "post", "yesterday", "to"]
MARK = re.compile("<(NAME|DATE):([^>]*)>")


def sentence(chance: random.Random) -> str:
    """With its entities marked: "<NAME:Ada Lovelace> wrote …"."""
    filler = " ".join(chance.choices(WORDS, k=chance.randint(2, 8)))
    name, year = chance.choice(NAMES), chance.randint(1900, 2030)
    return chance.choice(
        [f"<NAME:{name}> wrote in <DATE:{year}> a {filler}.", f"In <DATE:{year}> {filler} <NAME:{name}>."]
    )


def unmarked(text: str) -> tuple[str, list[Span]]:
    """A text, and what its marks say."""
    told, spans, at = "", [], 0
    for mark in MARK.finditer(text):
        told += text[at : mark.start()]
        spans.append(Span(start=len(told), end=len(told) + len(mark[2]), label=mark[1]))
        told, at = told + mark[2], mark.end()
    return told + text[at:], spans


@dataclass
class Archive:
    """A project's folder, its workspace, and what is in each document."""

    folder: Path
    python: Path
    truth: dict[str, list[Span]] = field(default_factory=dict)

    @property
    def work(self) -> Workspace:
        """Of the project."""
        return Workspace(self.folder / "workspaces" / "letters")

    def begin(self, artifacts: Path) -> None:
        """Project and site."""
        self.folder.mkdir()
        (self.folder / "project.toml").write_text(PROJECT)
        self.begin_at(artifacts)

    def begin_at(self, artifacts: Path) -> None:
        """The site alone."""
        site = {"workspace": str(self.folder / "workspaces"), "artifacts": str(artifacts)}
        (self.folder / "site.json").write_text(json.dumps(site))

    def add(self, texts: Iterable[str]) -> None:
        """Documents with these texts, as fetch and convert leave them."""
        for marked in texts:
            text, spans = unmarked(marked)
            data = text.encode()
            name = hashlib.sha256(data).hexdigest()
            self.truth[name] = spans
            self.work.put(f"texts/{name}.txt", data)
            document = Document(id=name, path=f"{name}.txt", size_bytes=len(data), source="letters@v1", fetched_at=NOW)
            self.work.append("documents.jsonl", [document])
            self.work.append("converted.jsonl", [
                Converted(document=name, backend="text", text=f"texts/{name}.txt", text_sha256=name, pages=0, seconds=0)
            ])  # fmt: skip

    def seeds(self, count: int) -> None:
        """Sentences that the project's owner labelled."""
        told = [unmarked(sentence(random.Random(number))) for number in range(count)]  # noqa: S311
        lines = [json.dumps({"text": text, "spans": [span.model_dump() for span in spans]}) for text, spans in told]
        (self.folder / "seeds.jsonl").write_text("\n".join(lines))
        text = (self.folder / "project.toml").read_text()
        (self.folder / "project.toml").write_text(text.replace("[finetune]", '[finetune]\nseeds = "seeds.jsonl"'))

    def items(self, *arms: Arm) -> list[Item]:
        """Those of some arms, or all."""
        return [item for item in self.work.read(Item, "items.jsonl") if not arms or item.arm in arms]

    def review(self, items: Iterable[Item]) -> None:
        """People say what is in these items; what they say of held-out ones becomes the next test set."""
        told = self.work.read(Review, "reviews.jsonl")
        for number, item in enumerate(items, len(told) + 1):
            spans = [
                Span(start=span.start - item.start, end=span.end - item.start, label=span.label)
                for span in self.truth[item.document]
                if item.start <= span.start and span.end <= item.start + len(item.text)
            ]
            told.append(Review(
                item=item.id, task=number, annotation=number, reviewer=1, spans=spans, shown=None, model=None,
                skipped=False, lead_time_s=5.0, at=NOW + dt.timedelta(minutes=number),
            ))  # fmt: skip
        self.work.replace("reviews.jsonl", told)
        if held := testset.grown(testset.newest(self.work), self.items(), told):
            testset.write(self.work, held)

    def copy(self, folder: Path) -> Archive:
        """The same at another place."""
        shutil.copytree(self.folder, folder)
        site = json.loads((folder / "site.json").read_text()) | {"workspace": str(folder / "workspaces")}
        (folder / "site.json").write_text(json.dumps(site))
        return Archive(folder, self.python, self.truth)

    def start(self, stage: str, run: str) -> subprocess.Popen[str]:
        """A stage, as `spark-node label run` starts it."""
        options = ["--project", self.folder, "--site", self.folder / "site.json", "--run", run]
        command = [self.python, "-m", "workloads.label.stage", stage, *options]
        log = (self.folder / f"{stage}.log").open("a")
        return subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def run(self, stage: str, run: str = "run-1") -> tuple[int, Any]:
        """Its exit code, and its report or error."""
        return ended(self.start(stage, run))


def ended(process: subprocess.Popen[str]) -> tuple[int, Any]:
    """The exit code of a stage, and its report or error."""
    told = [json.loads(line) for line in process.communicate()[0].splitlines()]
    last = told[-1] if told else {}
    return process.returncode, last.get("report", last.get("error"))
