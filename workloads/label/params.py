"""project.toml → Params: what a project's owner decides. All faults of the file at once, each with its path.

Defaults are those of a small office: a few thousand documents, a handful of people, a model that fits anywhere.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workloads.errors import ConfigError, printable

FILE = "project.toml"
ALL = "all"
MOST_CANDIDATES = 16  # of a comparison; of more, no pair could be told apart by the gate's 5,000 exchanges
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Label = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Section):
    """Where documents come from: one of both."""

    dataset: str = ""  # of the machine's data sets (spark-node datasets); its current version
    folder: Path | None = None  # or a folder, relative to project.toml

    @model_validator(mode="after")
    def _one(self) -> Source:
        if bool(self.dataset) == (self.folder is not None):
            raise ValueError("name either `dataset` or `folder`")
        return self


class Convert(Section):
    """How documents become text."""

    workers: Annotated[int, Field(ge=0, le=64)] = 0  # 0: as many as cores and memory allow
    models: Literal["auto", "server", "worker"] = "auto"  # a process of their own, or each worker's; auto: by GPU
    memory_mib: Annotated[int, Field(ge=512)] = 4096  # a worker's; more kills it
    timeout_s: Annotated[float, Field(gt=0)] = 300  # of one slice; the worker is killed then
    slice_pages: Annotated[int, Field(ge=1)] = 25  # long documents go slice by slice
    recycle: Annotated[int, Field(ge=1)] = 50  # slices after which a worker makes room for a new one
    scanned: Literal["vision", "endpoint", "skip"] = "vision"  # pages without text: Granite-Docling here, or by API
    endpoint: str = ""  # of an OpenAI-compatible server, with scanned = "endpoint"
    max_bytes: Annotated[int, Field(ge=1)] = 500 << 20  # of a document; unpacked at most ten times that
    layout: bool = True  # headings, tables and reading order of PDFs, by model; without: text as it lies in the file


class Preannotate(Section):
    """How items are cut and what a model says of them."""

    item_characters: Annotated[int, Field(ge=200, le=20000)] = 3000  # of one item at most, cut between paragraphs
    window_tokens: Annotated[int, Field(ge=16, le=512)] = 256
    overlap_tokens: Annotated[int, Field(ge=0, le=255)] = 64
    batch: Annotated[int, Field(ge=1)] = 32
    least_score: Share = 0.5  # spans below it are not shown


class Publish(Section):
    """What people see in Label Studio, and how much of it without help."""

    title: str = ""  # of the project there; empty: the project's name
    config: Path = Path("labels.xml")  # its labelling config, relative to project.toml
    batch: Annotated[int, Field(ge=1)] = 200  # items that wait for people at most: each run makes up for what is done
    test_share: Share = 0.15  # of the documents: held out, shown without predictions
    control_share: Share = 0.05  # of the documents: shown without predictions, trained on

    @model_validator(mode="after")
    def _leave_some(self) -> Publish:
        if self.test_share + self.control_share >= 1:
            raise ValueError("test_share and control_share: together below 1, or nothing is shown with a prediction")
        return self


class Finetune(Section):
    """How a model is trained."""

    base: Path | None = None  # a folder with config, tokenizer and weights; None: the machine's base model
    seeds: Path | None = None  # labelled sentences (JSON lines: text, spans) for the very first model
    epochs: Annotated[float, Field(gt=0)] = 4
    batch: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-5
    seed: int = 7
    least_new_reviews: Annotated[int, Field(ge=1)] = 20  # fewer new ones: no training
    save_steps: Annotated[int, Field(ge=1)] = 100


class Gate(Section):
    """What a candidate must show on the held-out set."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.98  # that it is better than the model that serves
    least_documents: Annotated[int, Field(ge=1)] = 5  # fewer in the held-out set: no promotion
    floors: dict[Label, Share] = Field(default_factory=dict)  # F1 by label
    first_floor: Share = 0.0  # F1 over all, while nothing serves
    latency_ms: Annotated[float, Field(gt=0)] = 200  # p95 of one item
    parity: Annotated[float, Field(gt=0)] = 1e-3


class Synthetic(Section):
    """Sentences that are made up to learn from: templates with a value in each slot. No document is among them."""

    templates: Path  # "{PARTY} pays {AMOUNT}.", one a line, relative to project.toml
    values: dict[Label, Annotated[list[str], Field(min_length=1)]]  # Faker's patterns; # is any digit: "EUR #,###.00"
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}_[A-Z]{2}$")] = "en_US"
    count: Annotated[int, Field(ge=1, le=100_000)] = 500
    share: Annotated[float, Field(ge=0, le=0.5)] = 0.2  # of what is learned from, at most
    seed: int = 7
    endpoint: str = Field("", pattern=r"^$|^https?://")  # OpenAI-compatible, rewords templates; it sees no document
    model: str = ""  # as the endpoint calls it
    paraphrases: Annotated[int, Field(ge=0, le=20)] = 3  # of each template, with an endpoint


class Campaign(Section):
    """Which items people see, so that few of them teach much; and when that is enough."""

    batch: Annotated[int, Field(ge=10)] = 100  # items of a round
    random_share: Annotated[float, Field(ge=0.1, le=0.5)] = 0.15  # of a round: control items, drawn, shown blank
    budget_minutes: Annotated[float, Field(gt=0)] = 600  # of people's time, all rounds together
    patience: Annotated[int, Field(ge=1)] = 3  # rounds without …
    least_gain: Share = 0.005  # … so much F1 more than any round before: it stops
    alike: Annotated[float, Field(gt=0, le=1)] = 0.7  # share of words in common from which two items teach the same
    synthetic: Synthetic | None = None


class Mix(Section):
    """What a candidate of a comparison learns beside the reviews."""

    seeds: bool = False  # the project's labelled sentences, too
    synthetic: Annotated[float, Field(ge=0, le=0.5)] = 0  # made-up ones: this share of all, never above the campaign's

    def __str__(self) -> str:
        """For people."""
        made = f"{self.synthetic:.0%} synthetic" if self.synthetic else ""
        return " + ".join(filter(None, ("reviews", "seeds" if self.seeds else "", made)))


class Compare(Section):
    """The candidates of a comparison: every base with every random seed and every mix."""

    bases: list[Path] = Field(default_factory=list)  # folders, relative to project.toml; empty: finetune's
    random_seeds: Annotated[list[int], Field(min_length=1)] = [7, 8, 9]
    mixes: Annotated[list[Mix], Field(min_length=1)] = [Mix()]
    at_once: Annotated[int, Field(ge=0, le=64)] = 0  # on one GPU, or on the CPU; 0: as many as cores and memory allow
    keep_days: Annotated[float, Field(gt=0)] = 14  # what was trained and is not the best is removed then

    @model_validator(mode="after")
    def _some(self) -> Compare:
        count = max(1, len(self.bases)) * len(self.random_seeds) * len(self.mixes)
        if not 2 <= count <= MOST_CANDIDATES:
            raise ValueError(f"{count} candidates: 2 to {MOST_CANDIDATES} can be compared")
        return self


class Roi(Section):
    """What is needed to turn minutes into money."""

    hourly_cost: Annotated[float, Field(ge=0)] = 0.0  # of a reviewer; 0: cost is not told
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    longest_lead_s: Annotated[float, Field(gt=0)] = 900  # somebody went for lunch: longer ones count as this


class Params(Section):
    """A project. `folder` is where its project.toml lies."""

    name: Name
    labels: Annotated[list[Label], Field(min_length=1, max_length=100)]
    source: Source
    convert: Convert = Convert()
    preannotate: Preannotate = Preannotate()
    publish: Publish = Publish()
    finetune: Finetune = Finetune()
    gate: Gate = Gate()
    roi: Roi = Roi()
    campaign: Campaign | None = None
    compare: Compare = Compare()
    folder: Path = Path()

    @field_validator("labels")
    @classmethod
    def _different(cls, labels: list[str]) -> list[str]:
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        if ALL in labels:
            raise ValueError(f"{ALL!r} is what the figures over every label are called")
        return labels

    @model_validator(mode="after")
    def _known_labels(self) -> Params:
        unknown = sorted(self.gate.floors.keys() - set(self.labels))
        if unknown:
            raise ValueError(f"gate.floors: not among labels: {', '.join(unknown)}")
        if self.preannotate.overlap_tokens * 2 >= self.preannotate.window_tokens:
            raise ValueError("preannotate.overlap_tokens: less than half of window_tokens")
        return self

    @model_validator(mode="after")
    def _campaign_teaches(self) -> Params:
        if self.campaign is None:
            return self
        if self.campaign.random_share + self.publish.test_share >= 1:
            raise ValueError("campaign.random_share and publish.test_share: together below 1, or nothing is chosen")
        if self.campaign.batch * (1 - self.publish.test_share) < self.finetune.least_new_reviews:
            raise ValueError("campaign.batch: a round would train no model: see finetune.least_new_reviews")
        made = self.campaign.synthetic
        if made and (unknown := sorted(made.values.keys() - set(self.labels))):
            raise ValueError(f"campaign.synthetic.values: not among labels: {', '.join(unknown)}")
        return self


def load(folder: Path) -> Params:
    """The project in `folder`; raises ConfigError that names every fault."""
    file = folder / FILE
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file} is not there", next_step="name a folder with a project.toml: --project") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {printable(str(error))}") from error
    try:
        return Params.model_validate({**data, "folder": folder.resolve()})
    except ValidationError as error:
        raise ConfigError(faults(file, error), next_step="mend the file; nothing was touched.") from None


def faults(file: Path, error: ValidationError) -> str:
    """Every fault on a line of its own, with its path in the file."""
    told = [f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors()]
    return "\n  ".join([f"{file} cannot be used:", *map(printable, told)])
