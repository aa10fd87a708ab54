"""Reviews, or a project's seeds → what is learned from, and whether that is anything new. Pure, but for `seeds`.

A review of an assisted or a control item is learned from; a held-out item is not, nor is another item with the very
same text. One document in eight is kept apart, to calibrate on. Seeds, sentences that a project's owner labelled,
stand in until there are reviews; those kept apart of them also judge the very first model.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from workloads.errors import ConfigError, printable
from workloads.label.arms import chance
from workloads.label.items import shown
from workloads.label.records import Arm, Record, Sha256, Span
from workloads.label.testset import latest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from workloads.label.records import Item, Review

APART = 8  # one document in so many is calibrated on
LEAST_DOCUMENTS = 4  # fewer are too few to keep any apart


class Seed(Record):
    """A line of a project's seeds."""

    text: str = Field(min_length=1)
    spans: list[Span]


class Example(Record):
    """A text and what is in it."""

    item: str
    document: Sha256
    text: str
    spans: list[Span]
    at: dt.datetime | None  # when somebody reviewed it; None: a seed
    synthetic: bool = False
    generator: str = ""  # what made it up; empty: a person labelled it

    @property
    def digest(self) -> str:
        """Of what is learned."""
        spans = sorted((span.start, span.end, span.label) for span in self.spans)
        return hashlib.sha256(repr((self.item, self.text, spans)).encode()).hexdigest()


class Learned(Record):
    """A line of a candidate's training.jsonl: one example, without its text."""

    item: str
    digest: Sha256
    at: dt.datetime | None
    apart: bool  # calibrated on, not trained on


def reviewed(items: Iterable[Item], reviews: Iterable[Review]) -> list[Example]:
    """The last review of each item, in the order of the items' names."""
    by_name = {item.id: item for item in items}
    held = {item.text for item in by_name.values() if item.arm is Arm.TEST}
    told = latest(reviews)
    wanted = [by_name[name] for name in sorted(told) if name in by_name]
    return [
        Example(
            item=item.id, document=item.document, text=item.text, synthetic=item.synthetic,
            spans=told[item.id].spans, at=told[item.id].at,
        )
        for item in wanted
        if item.arm is not Arm.TEST and item.text not in held
    ]  # fmt: skip


def seeds(file: Path, labels: Sequence[str]) -> list[Example]:
    """A project's seeds; raises ConfigError that names the file and the line."""
    try:
        lines = file.read_bytes().decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: {printable(str(error))}", next_step="mend finetune.seeds in project.toml."
        ) from None
    told: dict[str, Example] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            example = _seed(line, labels, f"{file}, line {number}")
            told.setdefault(example.item, example)
    return [told[name] for name in sorted(told)]


def _seed(line: str, labels: Sequence[str], where: str) -> Example:
    try:
        seed = Seed.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{where}: {'.'.join(map(str, first['loc']))}: {printable(first['msg'])}") from None
    for span in seed.spans:
        if span.end > len(seed.text) or span.label not in labels:
            raise ConfigError(f"{where}: {span.label} from {span.start} to {span.end} is not of this text or project")
    digest = hashlib.sha256(seed.text.encode("utf-8", "surrogatepass")).hexdigest()
    return Example(item=digest[:16], document=digest, text=shown(seed.text), spans=seed.spans, at=None, synthetic=True)


def divided(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """What is trained on, and what is kept apart: whole documents, drawn by their content; nothing that was made up."""
    examples = list(examples)
    drawn = sorted(
        {each.document for each in examples if not each.generator}, key=lambda document: chance("apart", document)
    )
    apart = set(drawn[: max(1, len(drawn) // APART)] if len(drawn) >= LEAST_DOCUMENTS else [])
    return [each for each in examples if each.document not in apart], [
        each for each in examples if each.document in apart
    ]


def most_made_up(real: int, share: float) -> int:
    """How many made-up examples may be learned beside so many real ones, to be `share` of all at most."""
    return int(share / (1 - share) * real)


def training_sha256(examples: Iterable[Example]) -> str:
    """Of all that is learned from, in whatever order."""
    return hashlib.sha256("".join(sorted(each.digest for each in examples)).encode()).hexdigest()


def unseen(examples: Iterable[Example], before: Iterable[Learned]) -> list[Example]:
    """What the model before did not learn from, or learned with other spans."""
    known = {each.digest for each in before}
    return [each for each in examples if each.digest not in known]


def first_unseen(now: Iterable[Learned], before: Iterable[Learned]) -> dt.datetime | None:
    """When the oldest review was made that a model learned from and the one before it had not; None: there is none."""
    known = {each.digest for each in before}
    return min((each.at for each in now if each.at and each.digest not in known), default=None)
