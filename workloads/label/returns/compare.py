"""Blank reviews beside assisted ones → how much faster, and how many seconds were saved, each with its interval.

Documents were drawn into arms, and slices of one document resemble each other: so the bootstrap draws documents.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import numpy as np

from workloads.label.returns.file import Comparison, Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.label.returns.groups import Seen

    Floats = NDArray[np.float64]

LEAST_REVIEWS = 20  # in each group; with fewer the interval of a median spans most of the values
LEAST_DOCUMENTS = 5  # in each group; fewer are hardly a draw
RESAMPLES = 1000
INTERVAL = (0.025, 0.975)
SEED = 7  # the same reviews give the same figures


def comparison(reviews: Sequence[Seen]) -> Comparison | None:
    """Both groups beside each other; None while either has too few reviews whose lead time is known, or documents."""
    blank, assisted = _Group(reviews, Group.BLANK), _Group(reviews, Group.ASSISTED)
    if not (blank.enough and assisted.enough):
        return None
    rng = np.random.default_rng(SEED)
    medians_blank, means_blank = blank.redrawn(rng)
    medians_assisted, means_assisted = assisted.redrawn(rng)
    speedups = np.quantile(medians_blank / medians_assisted, INTERVAL)
    saved = np.quantile(means_blank - means_assisted, INTERVAL) * assisted.n
    return Comparison(
        blank=blank.n,
        assisted=assisted.n,
        blank_documents=blank.documents,
        assisted_documents=assisted.documents,
        speedup=statistics.median(blank.leads) / statistics.median(assisted.leads),
        speedup_low=float(speedups[0]),
        speedup_high=float(speedups[1]),
        saved_s=(statistics.fmean(blank.leads) - statistics.fmean(assisted.leads)) * assisted.n,
        saved_low_s=float(saved[0]),
        saved_high_s=float(saved[1]),
    )


class _Group:
    """The lead times of one group in ascending order, and the number of the document that each is of."""

    def __init__(self, reviews: Sequence[Seen], group: Group) -> None:
        of = [(one.lead_s, one.item.document) for one in reviews if one.group is group and one.timed]
        self.leads = sorted(lead for lead, _ in of if lead is not None)
        names = sorted({document for _, document in of})
        numbers = {name: number for number, name in enumerate(names)}
        self._document = np.array([numbers[document] for _, document in sorted(of)], dtype=np.int64)
        self.n, self.documents = len(of), len(names)

    @property
    def enough(self) -> bool:
        return self.n >= LEAST_REVIEWS and self.documents >= LEAST_DOCUMENTS

    def redrawn(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Median and mean of each of many draws of as many documents, with replacement."""
        leads = np.array(self.leads)
        medians, means = np.empty(RESAMPLES), np.empty(RESAMPLES)
        for draw in range(RESAMPLES):
            times = np.bincount(rng.integers(0, self.documents, self.documents), minlength=self.documents)
            weights = times[self._document]
            upto = np.cumsum(weights)
            medians[draw] = leads[np.searchsorted(upto, upto[-1] / 2)]
            means[draw] = weights @ leads / upto[-1]
        return medians, means
