"""What passes between the stages of the label loop, typed; each is one line of a JSON-lines file.

Offsets are code points of the very text that is shown to people: Python's, and Label Studio's. Times are UTC.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """Unchangeable; an unknown key is refused, so that an old reader never half-understands a new file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Arm(StrEnum):
    """What an item is for; drawn once, by its document, so that slices of one document never part."""

    ASSISTED = "assisted"  # shown with a prediction, trained on
    CONTROL = "control"  # shown without one although there is a model: what people find by themselves; trained on
    TEST = "test"  # shown without one, never trained on: the held-out set


class Document(Record):
    """One file of the archive, by its content. Two files with the same bytes are one document."""

    id: Sha256  # of the bytes
    path: str  # below the source folder, with "/", as it was found first
    size_bytes: Count
    source: str  # data set and version, NAME@VERSION, or the folder's path
    fetched_at: dt.datetime


class Why(StrEnum):
    """Why a document is in quarantine."""

    EMPTY = "empty"  # no bytes, or no text after all that was tried
    UNREADABLE = "unreadable"  # truncated, garbled, or not what its name says
    PASSWORD = "password"  # noqa: S105  (a reason, not a secret)
    UNKNOWN = "unknown format"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"  # the worker died
    HOSTILE = "hostile"  # a bomb, or a name that leads out of its folder
    POOR = "poor"  # text came out, but not one that anybody should label


class Converted(Record):
    """A document whose text is there."""

    document: Sha256
    backend: str  # which of ours made the text
    text: str  # path below the workspace of the UTF-8 text
    text_sha256: Sha256
    pages: Count  # 0: the format has none
    read_pages: Count = 0  # of them, those that OCR or a vision model read
    tables: Count = 0
    seconds: Annotated[float, Field(ge=0)]
    partial: bool = False  # some pages failed; `notes` says which
    notes: list[str] = Field(default_factory=list)


class Quarantined(Record):
    """A document that is set aside, and why; nothing of it is lost."""

    document: Sha256
    path: str
    why: Why
    detail: str  # printable, at most some hundred characters
    tried: list[str]  # backends, in order
    at: dt.datetime


class Span(Record):
    """A labelled stretch of an item's text."""

    start: Count
    end: int  # exclusive
    label: str
    score: Share | None = None  # calibrated; None: a person's

    @model_validator(mode="after")
    def _is_a_stretch(self) -> Span:
        if self.end <= self.start:
            raise ValueError(f"a span ends at {self.end}, after it starts at {self.start}")
        return self


class Item(Record):
    """What one person sees at a time: a slice of a document's text."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]  # of document, part and text: the same slice, the same id
    document: Sha256
    part: Count
    start: Count  # of the slice within the document's text
    text: str
    arm: Arm
    synthetic: bool = False


class Prediction(Record):
    """What a model said of an item, and which model on what."""

    item: str
    model: str  # name and version as Calypso serves it, "contracts:3"
    run: str  # that made the model
    tokenizer_sha256: Sha256
    source: str  # of the document
    spans: list[Span]
    certainty: Share  # 0: look at this first
    at: dt.datetime


class Published(Record):
    """An item that stands in Label Studio."""

    item: str
    task: int  # Label Studio's number
    arm: Arm
    prediction: str | None  # the model's name and version; None: shown without
    at: dt.datetime


class Review(Record):
    """What one person made of one item; taken from the export, never from a webhook."""

    item: str
    task: int
    annotation: int  # Label Studio's number
    reviewer: int  # Label Studio's number of the person
    spans: list[Span]
    shown: list[Span] | None  # the prediction frozen in the annotation; None: none was shown
    model: str | None  # whose prediction that was
    skipped: bool
    lead_time_s: float | None  # as the browser told; not to be summed blindly
    at: dt.datetime


class ModelCard(Record):
    """What is known of a candidate; lies as card.json beside model.onnx, also in Calypso's repository."""

    run: str
    project: str
    labels: list[str]  # of the entities; the network's outputs are "O", then B- and I- of each, in this order
    base: str  # what the training started from
    tokenizer_sha256: Sha256
    onnx_sha256: Sha256
    examples: Count
    synthetic: Count  # of them
    training_sha256: Sha256  # of the examples' ids, texts and spans
    seed: int
    epochs: float
    temperature: Annotated[float, Field(gt=0)]  # of the calibration
    max_tokens: Annotated[int, Field(gt=2)]  # of a window, with both special tokens
    parity: Annotated[float, Field(ge=0)]  # greatest difference of a logit, ONNX Runtime to torch
    versions: dict[str, str]
    trained_at: dt.datetime


class Score(Record):
    """Precision, recall and F1 of whole entities, with a bootstrap interval of F1."""

    precision: Share
    recall: Share
    f1: Share
    low: Share
    high: Share
    entities: Count  # n: in the truth


class Evaluation(Record):
    """A candidate beside the model that serves, on the same held-out items; lies as evaluation.json beside it."""

    run: str
    serving: str | None  # name and version; None: nothing serves yet
    test_set: str  # its version
    items: Count  # n
    documents: Count  # n; the bootstrap draws these
    candidate: dict[str, Score]  # by label, and "all"
    incumbent: dict[str, Score] | None
    difference: Annotated[float, Field(ge=-1, le=1)] | None  # of F1 over all, the candidate's less the incumbent's
    difference_low: Annotated[float, Field(ge=-1, le=1)] | None  # lower end of its one-sided interval
    confidence: Share  # of that interval
    latency_ms: Annotated[float, Field(ge=0)]  # p95 of one item on this machine, in ONNX Runtime
    at: dt.datetime


class Verdict(Record):
    """Whether a candidate may serve, and every reason why not."""

    run: str
    passed: bool
    reasons: list[str]  # empty when it passed
    at: dt.datetime


class PromotionEnd(StrEnum):
    """How a promotion ended."""

    SERVING = "serving"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"  # nothing was changed


class Promotion(Record):
    """One try to make a candidate serve."""

    run: str
    model: str
    version: int | None  # None: refused before one was taken
    before: int | None  # the version that served
    end: PromotionEnd
    detail: str
    first_review_at: dt.datetime | None  # the oldest correction that this model learned from and the one before had not
    began_at: dt.datetime
    ended_at: dt.datetime
