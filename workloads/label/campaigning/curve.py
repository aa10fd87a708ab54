"""Candidates and what people said since → what each is worth: a campaign's learning curve.

Every candidate is asked about the newest test set, so that points differ by the model alone; and about the drawn items
that it did not learn from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.label import testset
from workloads.label.campaigning.rounds import POINTS, Point, picked
from workloads.label.campaigning.unlearned import unlearned
from workloads.label.learning import candidates, scoring
from workloads.label.learning.model import Model
from workloads.label.learning.scoring import Question
from workloads.label.params import ALL
from workloads.label.records import Review

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloads.label.campaigning.rounds import Round
    from workloads.label.campaigning.spending import Spent
    from workloads.label.learning.candidates import Candidate
    from workloads.label.records import Item, Score
    from workloads.label.stages import Context


def points(context: Context, rounds: Sequence[Round], items: Mapping[str, Item], told: Spent) -> list[Point]:
    """One for each round that made a model, and for the last model before; what was asked before is not asked again.

    Raises DamagedError for a candidate that is not what its card says.
    """
    work, of = context.work, picked(rounds)
    last = testset.latest(work.read(Review, "reviews.jsonl"))
    known = {each.run: each for each in work.read(Point, POINTS)}
    held = testset.newest(work)
    truth = {review.item: review.spans for review in held.reviews} if held else {}
    questions = [Question(item.document, item.text, truth[item.id]) for item in held.items] if held else []
    found: dict[int, Point] = {}
    for run in candidates.runs(work):
        candidate = candidates.load(work, run)
        learned = [each.item for each in candidate.learned if each.item in items]
        number = max((of.get(item, 0) for item in learned), default=0)
        fresh = unlearned(rounds, number, {items[item].document for item in learned}, items, last)
        before, minutes = known.get(run), sum(told.minutes.get(each, 0.0) for each in range(1, number + 1))
        same = before and (before.test_set, before.drawn_documents) == (held.version if held else None, len(fresh))
        if before and (same or not candidate.here):
            found[number] = before.model_copy(update={"minutes": minutes})
            continue
        if not candidate.here:  # nobody asked it before its machine died
            continue
        ours, theirs = asked(context, candidate, questions), asked(context, candidate, fresh)
        found[number] = Point(
            round=number, run=run, learned=len(learned), minutes=minutes, test_set=held.version if held else None,
            held_out=ours, held_out_documents=len({each.document for each in questions}),
            drawn=theirs, drawn_documents=len(fresh),
        )  # fmt: skip
    made = [found[number] for number in sorted(found)]
    work.replace(POINTS, made)
    return made


def asked(context: Context, candidate: Candidate, questions: Sequence[Question]) -> Score | None:
    """What a candidate makes of questions, over all labels; None without any."""
    if not questions:
        return None
    settings = context.params.preannotate
    model = Model(candidate.folder, settings.overlap_tokens)
    spans = [each.spans for each in model.say([each.text for each in questions], settings.batch)]
    return scoring.scores(scoring.counts(questions, spans, context.params.labels), context.params.labels)[ALL]
