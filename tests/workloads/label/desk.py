"""A project that is as far as preannotate brings it, made without documents or models → publish and collect on it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.label import items as cutting
from workloads.label.arms import arm
from workloads.label.records import Arm, Document, Item, Prediction, Published, Review, Span
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKOUT = Path(__file__).resolve().parents[3]
LABELS_XML = """<View><Header value="$document"/>
<Labels name="label" toName="text"><Label value="PARTY" background="#3a6ea5"/><Label value="DATE"/></Labels>
<Text name="text" value="$text"/></View>"""
PEOPLE = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Zoë 😀 Åkerby"]
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def sentence(number: int) -> tuple[str, list[Span]]:
    """A text of which everything is known."""
    chance = random.Random(number)  # noqa: S311  (the same text each time)
    who, day = chance.choice(PEOPLE), f"{chance.randint(1, 28)} May {chance.randint(2010, 2026)}"
    text = f"This agreement no. {number} is made by {who} on {day}.\n\nIt is governed by the laws of the sea."
    spans = [
        Span(start=text.index(value), end=text.index(value) + len(value), label=label)
        for value, label in ((who, "PARTY"), (day, "DATE"))
    ]
    return text, spans


def named(test: str) -> str:
    """A project's name from a test's: workspaces and projects of tests never meet."""
    return f"t{hashlib.sha256(test.encode()).hexdigest()[:6]}-{re.sub('[^a-z0-9]+', '-', test.lower())[5:35]}".strip(
        "-"
    )


def truth(data: dict[str, Any]) -> set[tuple[int, int, str]]:
    """What is true of a task's text, for the scripted reviewer."""
    text, spans = sentence(int(data["text"].split("no. ")[1].split()[0]))
    assert text == data["text"]
    return {(span.start, span.end, span.label) for span in spans}


def prediction(
    item: Item, spans: Iterable[Span], model: str, certainty: float = 0.5, at: dt.datetime = NOW
) -> Prediction:
    """What a model named so said of an item."""
    scored = [span.model_copy(update={"score": 0.9}) for span in spans]
    return Prediction(
        item=item.id, model=model, run="r", tokenizer_sha256="0" * 64, source="s@1", spans=scored, certainty=certainty,
        at=at,
    )  # fmt: skip


@dataclass
class Desk:
    """One project on one machine."""

    name: str
    folder: Path
    python: str
    url: str
    token_file: Path
    batch: int = 200

    def __post_init__(self) -> None:
        self.work = Workspace(self.folder / "work" / self.name)
        (self.folder / "project").mkdir(parents=True, exist_ok=True)
        self.describe()
        self.at(self.url)

    def describe(self, labels_xml: str = LABELS_XML, labels: str = '["PARTY", "DATE"]', title: str = "") -> None:
        """Write project.toml and labels.xml."""
        (self.folder / "project/project.toml").write_text(
            f'name = "{self.name}"\nlabels = {labels}\n[source]\nfolder = "d"\n'
            f'[publish]\nbatch = {self.batch}\ntitle = "{title}"\n'
        )
        (self.folder / "project/labels.xml").write_text(labels_xml)

    def at(self, url: str, token_file: Path | None = None) -> None:
        """Say where Label Studio is."""
        site = {
            "workspace": str(self.folder / "work"),
            "python": self.python,
            "label_studio": {"url": url, "token_file": str(token_file or self.token_file)},
        }
        (self.folder / "site.json").write_text(json.dumps(site))

    def fill(self, count: int, first: int = 0) -> None:
        """So many documents of one item each."""
        texts = [sentence(number)[0] for number in range(first, first + count)]
        self.add({f"agreement-{number:03}.txt": text for number, text in enumerate(texts, first)})

    def add(self, texts: dict[str, str], of: Arm | None = None) -> None:
        """Documents by path; each text becomes its items."""
        documents, items = [], []
        for path, text in texts.items():
            name = hashlib.sha256(f"{self.name}{path}".encode()).hexdigest()
            documents.append(Document(id=name, path=path, size_bytes=len(text), source="s@1", fetched_at=NOW))
            items += cutting.items(name, text, of or arm(self.name, name, 0.15, 0.1), 20000)
        self.work.append("documents.jsonl", documents)
        self.work.append("items.jsonl", items)

    def predict(self, model: str, share: float = 0.5) -> None:
        """Let a model of that name find everything in a share of the assisted items, and only people in the others."""
        when = NOW + dt.timedelta(days=int(model.split(":")[1]))
        told = []
        for place, item in enumerate(each for each in self.items if each.arm is Arm.ASSISTED):
            spans = sentence(int(item.text.split("no. ")[1].split()[0]))[1]
            chance = random.Random(f"{model} {item.id}").random()  # noqa: S311
            told.append(
                prediction(item, spans if chance < share else spans[:1], model, (place * 7919 % 1000) / 1000, when)
            )
        self.work.append("predictions.jsonl", told)

    @property
    def items(self) -> list[Item]:
        """All there are."""
        return self.work.read(Item, "items.jsonl")

    @property
    def published(self) -> list[Published]:
        """What stands in Label Studio, by the project's own record."""
        return self.work.read(Published, "published.jsonl")

    @property
    def reviews(self) -> list[Review]:
        """What people said."""
        return self.work.read(Review, "reviews.jsonl")

    def words(self, stage: str) -> list[str]:
        """The command that does one stage."""
        where = ["--project", str(self.folder / "project"), "--site", str(self.folder / "site.json")]
        return [self.python, "-m", "workloads.label.stage", stage, *where]

    def start(self, stage: str) -> subprocess.Popen[str]:
        """One stage, under way."""
        return subprocess.Popen(
            self.words(stage), cwd=CHECKOUT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, stage: str) -> dict[str, Any]:
        """What the stage reports; fails the test where it fails."""
        status, told, said = self.tried(stage)
        assert status == 0, (told, said)
        report: dict[str, Any] = told["report"]
        return report

    def tried(self, stage: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, last word, and all that was said besides."""
        process = self.start(stage)
        out, said = process.communicate(timeout=400)
        lines = out.splitlines()
        return process.returncode, json.loads(lines[-1]) if lines else {}, out + said
