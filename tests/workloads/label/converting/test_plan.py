"""Whatever fails, in whatever order: every page ends in one slice, read or failed, after a bounded number of tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workloads.label.converting import plan
from workloads.label.converting.formats import Format
from workloads.label.converting.messages import Reader, Seen
from workloads.label.params import Convert
from workloads.label.records import Why

PAGES = st.lists(st.none() | st.integers(0, 2000), min_size=1, max_size=80)
SETTINGS = st.builds(
    Convert,
    slice_pages=st.integers(1, 30),
    layout=st.booleans(),
    scanned=st.sampled_from(["vision", "endpoint", "skip"]),
)


@given(PAGES, SETTINGS)
def test_slices_hold_every_page_once_and_never_mix_text_with_pictures(
    pages: list[int | None], convert: Convert
) -> None:
    """In order, none longer than it may be, each for readers that can read it."""
    found = plan.slices(Seen(format=Format.PDF, characters=pages), convert)
    assert [page for piece in found for page in range(piece.first, piece.last + 1)] == list(range(1, len(pages) + 1))
    for piece in found:
        kinds = {pages[page - 1] is None for page in range(piece.first, piece.last + 1)}
        assert len(kinds) == 1
        assert piece.last - piece.first < convert.slice_pages
        assert (Reader.PLAIN in piece.readers) == (not kinds.pop())
    assert sum(piece.letters for piece in found) == sum(filter(None, pages))


@given(PAGES, SETTINGS, st.data())
def test_every_page_is_read_or_failed_once_after_bounded_tries(
    pages: list[int | None], convert: Convert, data: st.DataObject
) -> None:
    """Slices end in any order, well, badly or in part; nothing is lost, nothing twice, and it comes to an end."""
    progress = plan.start(plan.slices(Seen(format=Format.PDF, characters=pages), convert), set())
    read: list[int] = []
    running: list[plan.Slice] = []
    tries = 0
    while not progress.ended:
        if progress.waiting and (not running or data.draw(st.booleans())):
            running.append(progress.begin())
            continue
        piece = running.pop(data.draw(st.integers(0, len(running) - 1)))
        tries += 1
        own = list(range(piece.first, piece.last + 1))
        if data.draw(st.booleans()):
            progress.fail(piece, data.draw(st.sampled_from(list(Why))), "it could not")
        else:
            lost = data.draw(st.lists(st.sampled_from(own), unique=True, max_size=len(own) - 1))
            progress.read(piece, lost, Why.POOR, "it was poor")
            read += [page for page in own if page not in lost]
    failed = [page for failure in progress.failed for page in range(failure.slice.first, failure.slice.last + 1)]
    assert sorted(read + failed) == list(range(1, len(pages) + 1))
    assert tries <= 4 * len(pages) + 2 * plan.MOST_FAILURES


@given(PAGES, SETTINGS, st.sets(st.integers(1, 80)))
def test_what_an_earlier_run_has_read_is_not_read_again(
    pages: list[int | None], convert: Convert, covered: set[int]
) -> None:
    """And all the rest is."""
    progress = plan.start(plan.slices(Seen(format=Format.PDF, characters=pages), convert), covered)
    left = [*progress.waiting, *(failure.slice for failure in progress.failed)]
    found = sorted(page for piece in left for page in range(piece.first, piece.last + 1))
    assert found == [page for page in range(1, len(pages) + 1) if page not in covered]


def test_the_page_that_fails_alone_is_found_by_halving() -> None:
    """Page 7 of 25 kills every worker: the other 24 are read."""
    progress = plan.start(plan.slices(Seen(format=Format.PDF, characters=[9] * 25), Convert()), set())
    read: set[int] = set()
    while not progress.ended:
        piece = progress.begin()
        if piece.first <= 7 <= piece.last:
            progress.fail(piece, Why.TIMEOUT, "it hangs")
        else:
            progress.read(piece, [], Why.POOR, "")
            read |= set(range(piece.first, piece.last + 1))
    assert read == set(range(1, 26)) - {7}
    assert [str(failure.slice) for failure in progress.failed] == ["page 7"]
