"""Comparisons of a project → their records, and how often a test set was looked at for one of them.

comparisons/<key>/comparison.json, report.html     kept: how often a set was looked at must not be forgotten
comparisons/.models/<digest>/                      an entry: state.safetensors while it is trained, then
                             model/                its weights, config and tokenizer, and
                             said-<version>.json   what it said of a test set
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from workloads.label.comparing.plan import Setting
from workloads.label.learning.candidates import Recipe
from workloads.label.records import Count, Record, Score, Sha256, Share

if TYPE_CHECKING:
    from workloads.label.workspace import Workspace

FOLDER, MODELS, FILE, REPORT = "comparisons", ".models", "comparison.json", "report.html"
Difference = Annotated[float, Field(ge=-1, le=1)]


class Said(Record):
    """What an entry said of the held-out documents, counted."""

    parameters: Count
    steps: Count  # that this process took; fewer than all after a kill
    counts: list[list[list[int]]]  # documents x labels x (right, told, true) entities


class Measured(Record):
    """One entry beside the best one."""

    digest: Sha256
    name: str
    setting: Setting
    parameters: Count
    examples: Count
    synthetic: Count  # of them
    scores: dict[str, Score]  # by label, and "all"
    behind: Difference  # F1 of the best one less this one's
    behind_low: Difference
    behind_high: Difference
    chance: Share  # that the best one leads so far by chance, all pairs taken together


class Comparison(Record):
    """All entries on one test set, the best one first."""

    key: str
    project: str
    test_set: str
    items: Count
    documents: Count
    entries: list[Measured]
    candidate: str  # the best one as a candidate: candidates/<this>/
    instead_of: Recipe  # the project's own at that time
    at: dt.datetime

    @property
    def open(self) -> list[Measured]:
        """Those that nothing shows to be worse than the best one."""
        return [each for each in self.entries[1:] if each.chance > SURE]


SURE = 0.05  # a chance below it counts as none


def comparisons(work: Workspace) -> list[Comparison]:
    """Every one there was; raises DamagedError for one that cannot be read, as its looks count."""
    files = sorted(work.path(FOLDER).glob(f"[!.]*/{FILE}"))
    found = (work.one(Comparison, str(file.relative_to(work.folder))) for file in files)
    return sorted((each for each in found if each), key=lambda each: each.at)


def looks(told: list[Comparison], candidate: str) -> int:
    """How many different models were measured on the set that a candidate was chosen on; 1 for one nobody compared."""
    test_set = next((each.test_set for each in told if each.candidate == candidate), None)
    if test_set is None:
        return 1
    return len({entry.digest for each in told if each.test_set == test_set for entry in each.entries})


def chosen(told: list[Comparison], own: Recipe) -> Setting | None:
    """What the last comparison found best, as long as project.toml says what it said then; None: it says another thing.

    So that the next fine-tune goes on with what was best, until somebody changes the project's own recipe.
    """
    return told[-1].entries[0].setting if told and told[-1].instead_of == own else None
