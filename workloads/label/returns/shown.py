"""Reviews of suggestions → what became of them, by model; and the serving model's worth on held-out items.

Of the same model, the share of its spans that people keep and its precision on held-out items should be alike: one was
seen before it was judged, the other was not. Where people keep much more, they have stopped looking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.errors import printable
from workloads.label.returns.file import HeldOut, Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloads.label.records import Evaluation, Span
    from workloads.label.returns.groups import Seen

MOST_MODELS = 10
MOST_CHARACTERS = 100
UNNAMED = "unknown"  # a prediction without its model's name, imported by hand


def shown(reviews: Iterable[Seen]) -> list[Shown]:
    """One a model, the newest ten, in the order in which people first met them."""
    by_model: dict[str, list[Seen]] = {}
    for one in reviews:
        if one.review.shown is not None:
            by_model.setdefault(printable(one.review.model or UNNAMED, MOST_CHARACTERS), []).append(one)
    return [_of(model, of) for model, of in list(by_model.items())[-MOST_MODELS:]]


def held_out(evaluation: Evaluation | None, model: str | None) -> HeldOut | None:
    """What the evaluation before its promotion said of the model that serves."""
    score = evaluation.candidate.get("all") if evaluation else None
    if evaluation is None or score is None or model is None:
        return None
    return HeldOut(
        model=model,
        test_set=evaluation.test_set,
        items=evaluation.items,
        documents=evaluation.documents,
        score=score,
    )


def _of(model: str, reviews: Sequence[Seen]) -> Shown:
    accepted = edited = rejected = spans = kept = left = 0
    judged = [one.review for one in reviews if not one.review.skipped]
    for review in judged:
        before, after = _places(review.shown or []), _places(review.spans)
        stayed = before & after
        accepted += before == after
        rejected += bool(before) and not stayed
        edited += before != after and bool(stayed or not before)
        spans, kept, left = spans + len(before), kept + len(stayed), left + len(after)
    return Shown(
        model=model,
        accepted=accepted,
        edited=edited,
        rejected=rejected,
        skipped=len(reviews) - len(judged),
        spans=spans,
        kept=kept,
        reviewed=left,
    )


def _places(spans: Iterable[Span]) -> set[tuple[int, int, str]]:
    return {(span.start, span.end, span.label) for span in spans}
