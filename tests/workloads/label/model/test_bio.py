"""Tags, windows and scores: what a network tells of words is put together as it was meant."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.learning import bio, decode
from workloads.label.learning.bio import Run, Word
from workloads.label.learning.windows import alike, believed, windows
from workloads.label.records import Span

LABELS = ["A", "B"]
WORDS = [Word(3 * at, 3 * at + 2, at) for at in range(12)]


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Entities over whole words, apart."""
    ends = sorted(draw(st.sets(st.integers(0, len(WORDS)), max_size=8)))
    return [
        Span(start=WORDS[first].start, end=WORDS[last - 1].end, label=draw(st.sampled_from(LABELS)))
        for first, last in itertools.pairwise(ends)
        if draw(st.booleans())
    ]


@given(spans())
def test_entities_come_back_from_their_tags(marked: list[Span]) -> None:
    """Also two of one label that touch."""
    found = bio.runs(bio.tags(WORDS, marked, LABELS))

    assert [(WORDS[run.first].start, WORDS[run.last].end, LABELS[run.label]) for run in found] == [
        (span.start, span.end, span.label) for span in marked
    ]


@given(st.lists(st.integers(0, 4), max_size=9))
def test_any_tags_are_entities_apart(tags: list[int]) -> None:
    """Whatever a network says: a word is in at most one entity, and in one exactly if it is tagged."""
    covered = [at for run in bio.runs(tags) for at in range(run.first, run.last + 1)]

    assert covered == [at for at, tag in enumerate(tags) if tag]
    assert all((tags[at] - 1) // 2 == run.label for run in bio.runs(tags) for at in range(run.first, run.last + 1))


@pytest.mark.parametrize(
    ("marked", "told"),
    [
        ([Span(start=1, end=4, label="A")], [1, 2, 0]),  # half words count whole
        ([Span(start=2, end=3, label="A")], [0, 0, 0]),  # the blank between two
        ([Span(start=0, end=8, label="A"), Span(start=3, end=5, label="B")], [1, 2, 2]),  # the first one counts
        ([Span(start=0, end=2, label="B"), Span(start=0, end=5, label="A")], [1, 2, 0]),  # then the longer
        ([Span(start=0, end=2, label="GONE")], [0, 0, 0]),  # a label that the project no longer has
    ],
)
def test_what_hands_mark_is_learned_by_words(marked: list[Span], told: list[int]) -> None:
    """The odd cases, one by one."""
    assert bio.tags(WORDS[:3], marked, LABELS) == told


def test_outputs_are_in_the_order_that_calypso_is_told() -> None:
    """Outside, then begin and inside of each label."""
    assert bio.outputs(LABELS) == ["O", "B-A", "I-A", "B-B", "I-B"]
    assert [bio.begin(1), bio.inside(1)] == [3, 4]


@given(st.integers(0, 400), st.integers(3, 60), st.integers(0, 29))
def test_windows_hold_every_token_and_believe_one_each(count: int, size: int, overlap: int) -> None:
    """Each token is believed from one window, with half the overlap around it wherever the text goes on.

    The windows are of one length, and one less would not do.
    """
    overlap = min(overlap, (size - 1) // 2)
    places = windows(count, size, overlap)
    mine = believed(places)

    assert [at for each in mine for at in each] == list(range(count))
    assert len({len(place) for place in places}) <= 1
    assert len(places) <= 1 or size + (len(places) - 2) * (size - overlap) < count
    for place, own in zip(places, mine, strict=True):
        assert len(place) <= size
        assert place.start == 0 or own.start - place.start >= overlap // 2
        assert place.stop == count or place.stop - own.stop >= overlap // 2


@given(st.lists(st.integers(2, 40)), st.integers(1, 5), st.integers(2, 60))
def test_batches_hold_every_window_once_and_waste_little(lengths: list[int], most: int, tokens: int) -> None:
    """None is too large, filled up as it is, and no window is in a batch with a longer one than it must be."""
    batches = alike(lengths, most, tokens)

    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert [lengths[number] for batch in batches for number in batch] == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) <= most
        assert len(batch) == 1 or len(batch) * lengths[batch[0]] <= tokens


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_score_is_the_chance_of_exactly_this_entity(length: int, seed: int) -> None:
    """Compared with adding up the odds of every way to tag the words that tells of it."""
    odds = np.random.default_rng(seed).dirichlet([0.5] * 5, size=length)
    chances: dict[Run, float] = {}
    for tags in itertools.product(range(5), repeat=length):
        for run in bio.runs(tags):
            chances[run] = chances.get(run, 0) + float(np.prod(odds[range(length), tags]))

    assert decode.scores(list(chances), odds) == pytest.approx(list(chances.values()))


def test_a_temperature_moves_scores_and_no_entity() -> None:
    """Hotter is less sure; which entities are found stays."""
    logits = np.array([[0, 4, 0, 0, 0], [0, 0, 4, 0, 0], [4, 0, 0, 0, 0]], np.float32)
    sure, unsure = (decode.spans(WORDS[:3], logits, LABELS, at) for at in (0.5, 2.0))

    assert [(one.start, one.end, one.label) for one in sure] == [(0, 5, "A")]
    assert [one.model_copy(update={"score": None}) for one in sure] == [
        one.model_copy(update={"score": None}) for one in unsure
    ]
    assert sure[0].score is not None
    assert unsure[0].score is not None
    assert sure[0].score > unsure[0].score


def test_certainty_does_not_fall_with_length() -> None:
    """The same words twice are as certain as once; a doubtful one among them makes the text less so."""
    sure, doubtful = np.array([[4, 0, 0]], np.float32), np.array([[1, 1, 1]], np.float32)

    assert decode.certainty(np.concatenate([sure, sure]), 1) == pytest.approx(decode.certainty(sure, 1))
    assert decode.certainty(np.concatenate([sure, doubtful]), 1) < decode.certainty(sure, 1)
    assert decode.certainty(doubtful, 1) == pytest.approx(1 / 3)
    assert decode.certainty(np.zeros((0, 3), np.float32), 1) == 1
