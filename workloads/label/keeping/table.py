"""A path in a project's workspace → whether it is kept in the store, made again, or unknown. Pure.

Kept is what people said and what follows from no document: reviews, what was shown to whom, what was decided and when.
"""

from __future__ import annotations

import re
from enum import StrEnum

PROJECT = "project"
"""Copies of what the owner wrote, as it was: project.toml and the files that it names."""
STATE = "kept.json"

KEPT = (
    "documents.jsonl", "quarantine.jsonl", "converting.json", "items.jsonl", "predictions.jsonl", "published.jsonl",
    "reviews.jsonl", "promotions.jsonl", "roi.json",
    "test-sets/v*/items.jsonl", "test-sets/v*/reviews.jsonl",
    "candidates/*/card.json", "candidates/*/recipe.json", "candidates/*/training.jsonl", "candidates/*/probes.json",
    "candidates/*/evaluation.json", "candidates/*/verdict.json",
    "comparisons/*/comparison.json", "comparisons/*/report.html",
    "campaign/rounds.jsonl", "campaign/points.jsonl", "campaign/synthetic.jsonl", "campaign/paraphrases.jsonl",
    "runs/*/run.json", "runs/*/*.html",
    f"{PROJECT}/**",
)  # fmt: skip
MADE_AGAIN = {
    "texts/**": "from the archive, by convert",
    "parquet/**": "from the archive, by convert",
    "slices/**": "of a conversion that is under way",
    "scratch/**": "of a conversion that is under way",
    "converted.jsonl": "by convert: each line speaks of a text that lies beside it",
    "triaged.jsonl": "by convert",
    "seen.jsonl": "by fetch: inodes and times of this machine",
    "candidates/*/model/**": "weights: what served lies in the model repository",
    "candidates/*/model.onnx": "weights: what served lies in the model repository",
    "candidates/*/tokenizer.json": "beside the weights",
    "candidates/.training/**": "a training that is under way",
    "comparisons/.models/**": "weights: a comparison trains them again, to the same",
    "test-sets/.partial/**": "a version that is being written",
    "serving/**": "from the model repository",
    "runs/*/*.log": "what libraries said: of use on the day",
    "recurring/*.json": "of this machine's timers",
    "lock": "of this machine's processes",
    STATE: "of this machine's word with the store",
}
"""What is not kept, and why that is no loss."""


class Kind(StrEnum):
    """What becomes of a file when its machine dies."""

    KEPT = "kept"
    MADE_AGAIN = "made again"
    UNKNOWN = "unknown"


def kind(path: str) -> Kind:
    """Of a path below the workspace, with `/`; what is half-written, `.NAME.PID`, is made again."""
    if any(pattern.fullmatch(path) for pattern in _MADE_AGAIN) or HALF_WRITTEN.search(path):
        return Kind.MADE_AGAIN
    return Kind.KEPT if any(pattern.fullmatch(path) for pattern in _KEPT) else Kind.UNKNOWN


def kept(path: str) -> bool:
    """Whether it is."""
    return kind(path) is Kind.KEPT


def _compiled(pattern: str) -> re.Pattern[str]:
    """`**`: anything below; `*`: one name, or a part of one, that does not begin with a dot."""
    words = re.escape(pattern).replace(r"/\*\*", "/.+").replace(r"/\*", r"/(?!\.)[^/]*").replace(r"\*", "[^/]*")
    return re.compile(words, re.DOTALL)


HALF_WRITTEN = re.compile(r"(?:^|/)\.[^/]+\.[0-9]+\Z")  # workspace.put
_KEPT, _MADE_AGAIN = ([_compiled(each) for each in patterns] for patterns in (KEPT, MADE_AGAIN))
