"""What is trained where: every entry once, none twice, nothing above the memory."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from workloads.label.comparing import plan, room
from workloads.label.comparing.plan import Material
from workloads.label.learning.candidates import Recipe
from workloads.label.learning.examples import Example
from workloads.label.params import Compare, Mix

RECIPE = Recipe(
    base="base", base_sha256="0" * 64, labels=["A"], epochs=1, batch=8, learning_rate=1e-3, seed=7, window_tokens=64,
    overlap_tokens=8,
)  # fmt: skip
GIB = 1 << 30


def example(number: int, *, synthetic: bool = False) -> Example:
    """One of many."""
    return Example(
        item=f"{number:016x}", document=f"{number:064x}", text=f"text {number}", spans=[], at=None, synthetic=synthetic
    )


def entries(compare: Compare, material: Material) -> list[plan.Entry]:
    """As the stage makes them."""
    return plan.different([plan.entry(each, RECIPE, Path("base"), material, {}) for each in plan.settings(compare)])


def test_every_base_with_every_seed_and_every_mix() -> None:
    """In the order of project.toml; what adds nothing is no candidate of its own."""
    material = Material([example(1), example(2)], [example(3)], [])
    some = Compare(random_seeds=[1, 2], mixes=[Mix(), Mix(seeds=True), Mix(synthetic=0.2)])
    names = [each.name for each in entries(some, material)]

    assert names == [
        "base, seed 1, reviews", "base, seed 2, reviews", "base, seed 1, reviews + seeds",
        "base, seed 2, reviews + seeds",
    ]  # fmt: skip


def test_one_more_candidate_leaves_the_others_as_they_are() -> None:
    """So that only it is trained; the comparison is another one."""
    material = Material([example(1), example(2)], [], [])
    few, more = (entries(Compare(random_seeds=seeds), material) for seeds in ([1, 2], [1, 2, 3]))

    assert {each.digest for each in few} < {each.digest for each in more}
    assert plan.key(few, "v001") != plan.key(more, "v001") != plan.key(more, "v002")


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 60), st.floats(0, 0.5))
def test_made_up_examples_stay_below_their_share(real: int, seeds: int, made: int, share: float) -> None:
    """Of all that is learned, and a smaller share is a part of a greater one."""
    numbers = iter(range(1000))
    some = [[example(next(numbers), synthetic=at == 2) for _ in range(n)] for at, n in enumerate((real, seeds, made))]
    mixed = Material(*some).mixed(Mix(seeds=True, synthetic=share))

    assert sum(each.synthetic for each in mixed) <= share * len(mixed) + 1e-9
    assert mixed[: real + seeds] == some[0] + some[1]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(1, 8))
def test_shares_hold_everything_once_and_are_even(costs: list[int], count: int) -> None:
    """No share costs more than the mean and the dearest thing together."""
    shares = room.spread(list(enumerate(costs)), count)
    assert sorted(thing for share in shares for thing in share) == list(range(len(costs)))
    assert max(sum(costs[thing] for thing in share) for share in shares) <= sum(costs) / count + max(costs)


@given(st.integers(0, 8), st.integers(1, 128), st.integers(0, 512), st.integers(1, 16), st.integers(0, 16))
def test_there_is_a_place_and_never_too_many(gpus: int, cores: int, gib: int, count: int, at_once: int) -> None:
    """A process a GPU; without any, no more than cores, entries and memory allow."""
    found = room.places(gpus, cores, gib * GIB, count, at_once)
    assert 1 <= len(found) <= count
    if gpus:
        assert [each.gpu for each in found] == list(range(min(gpus, count)))
    else:
        assert len(found) <= max(1, min(at_once or cores, (gib * GIB - room.FLOOR_BYTES) // room.CPU_BYTES))
        assert {(each.gpu, each.threads) for each in found} == {(None, 1)}


@given(st.lists(st.integers(1, 8), max_size=8), st.integers(1, 8), st.integers(0, 64), st.integers(0, 4))
def test_no_training_begins_that_does_not_fit(taken: list[int], wanted: int, free: int, at_once: int) -> None:
    """The floor stays free, whoever else is there; one alone may always try."""
    may = room.fits(wanted * GIB, [each * GIB for each in taken], free * GIB, at_once)
    if not taken:
        assert may
    elif may:
        assert (sum(taken) + wanted) * GIB + room.FLOOR_BYTES <= free * GIB
        assert not at_once or len(taken) < at_once


def test_the_estimate_is_what_was_measured() -> None:
    """DistilBERT-base's shape, 32 windows of 256: 2.7 GiB on an H200; never less, and hardly more."""
    assert 2.7 <= room.training_bytes(66_400_000, 6, 768, 32 * 256) / GIB <= 3.2
