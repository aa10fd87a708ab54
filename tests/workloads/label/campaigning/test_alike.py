"""Near-duplicates: texts that share most pairs of words are told from those that do not."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from workloads.label.campaigning import alike

WORDS = st.lists(
    st.sampled_from([f"w{chr(97 + at)}{chr(97 + step)}" for at in range(26) for step in range(9)]), max_size=80
)


@given(WORDS, WORDS)
def test_the_share_is_jaccards_within_its_error(one: list[str], other: list[str]) -> None:
    """128 bins: five standard errors of a share are at most 0.23, and texts this short fill fewer of them."""
    pairs = [set(pairwise(words)) or set(words) for words in (one, other)]
    union = pairs[0] | pairs[1]
    true = len(pairs[0] & pairs[1]) / len(union) if union else 1.0
    (told,) = alike.shares(alike.sketch(" ".join(one))[None], alike.sketch(" ".join(other)))
    assert abs(told - true) <= 5 * max(0.5 / max(len(union), 1) ** 0.5, 0.045) + 0.02 if 0 < true < 1 else told == true


def test_figures_do_not_make_a_form_another() -> None:
    """Two invoices of one form are alike; another sentence is not."""
    seen = alike.Seen(["Invoice 17 of 3 May 2024: total due 1,200.00 EUR, to be paid within 30 days."], alike=0.7)
    assert not seen.add("Invoice 99 of 8 May 2026: total due 9,999.99 EUR, to be paid within 14 days.")
    assert seen.add("The courts of Ontario alone decide what is disputed between the parties.")
    assert not seen.add("The courts of Ontario alone decide what is disputed between the parties!")
