"""Everything a workspace knows of a project → Roi. Pure: what time it is, is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.returns import compare
from workloads.label.returns.backlog import backlog
from workloads.label.returns.delivery import deliveries, served_name, serving, waiting
from workloads.label.returns.file import Agreed, Cost, Roi
from workloads.label.returns.groups import by_group, seen
from workloads.label.returns.shown import held_out, shown
from workloads.label.reviewing.agreement import agreement

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from workloads.label.learning.examples import Learned
    from workloads.label.params import Params
    from workloads.label.records import Document, Evaluation, Item, Promotion, Published, Review
    from workloads.label.returns.groups import Seen

MOST_DELIVERIES = 10


@dataclass(frozen=True)
class Known:
    """What the records of a workspace say. The last two are of the model that serves."""

    documents: Sequence[Document] = ()
    converted: int = 0
    quarantined: int = 0
    items: Sequence[Item] = ()
    published: Sequence[Published] = ()
    reviews: Sequence[Review] = ()
    promotions: Sequence[Promotion] = ()
    evaluation: Evaluation | None = None
    learned: Sequence[Learned] | None = ()  # what it was made of; None: nobody knows any more


def figures(params: Params, known: Known, now: dt.datetime) -> Roi:
    """The whole of roi.json."""
    items = {item.id: item for item in known.items}
    reviews = seen(known.reviews, items, params.roi.longest_lead_s)
    delivered, serves = deliveries(known.promotions), serving(known.promotions)
    return Roi(
        project=params.name,
        at=now,
        currency=params.roi.currency,
        hourly_cost=params.roi.hourly_cost or None,
        longest_lead_s=params.roi.longest_lead_s,
        documents=len(known.documents),
        converted=known.converted,
        quarantined=known.quarantined,
        groups=by_group(reviews),
        least_reviews=compare.LEAST_REVIEWS,
        least_documents=compare.LEAST_DOCUMENTS,
        comparison=compare.comparison(reviews),
        shown=shown(reviews),
        held_out=held_out(known.evaluation, served_name(serves) if serves else None),
        agreed=agreed(reviews),
        deliveries=delivered[-MOST_DELIVERIES:],
        delivered=len(delivered),
        waiting=None
        if known.learned is None
        else waiting(known.items, known.reviews, known.learned, params.finetune.least_new_reviews),
        backlog=backlog(
            known.items,
            reviews,
            {document.id: document.fetched_at for document in known.documents},
            {one.item for one in known.published},
            now,
        ),
        cost=cost(reviews, params.roi.hourly_cost),
    )


def agreed(reviews: Sequence[Seen]) -> Agreed | None:
    """Of real items, as for everything else."""
    found = agreement(one.review for one in reviews)
    return Agreed(pairs=found.pairs, alike=found.alike, shared=found.shared) if found else None


def cost(reviews: Sequence[Seen], hourly: float) -> Cost | None:
    """All the time that people spent, over what was finished with it."""
    finished = len({one.item.id for one in reviews if not one.review.skipped})
    leads = [one.lead_s for one in reviews if one.lead_s is not None]
    if not finished or not leads:
        return None
    seconds = sum(leads) / len(leads) * len(reviews) / finished
    return Cost(
        items=finished,
        reviews=len(reviews),
        timed=len(leads),
        seconds=seconds,
        money=seconds * hourly / 3600 if hourly else None,
    )
