"""Readings and needs → steps and verdicts: the policy, for any machine."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gb10.readings import memory as exported
from workloads.memguard.decide import EVICTIONS, Step, Verdict, decide
from workloads.memguard.memory import Memory, UnreadableError, memory
from workloads.memguard.request import Request, from_instance

GIB = 1 << 30
FLOOR = 8 * GIB
LADDER = tuple(Step)
BYTES = st.integers(0, 256 * GIB)
NEEDS = st.builds(lambda number, unit: f"{number}{unit}", st.integers(1, 99999), st.sampled_from("KMGT"))
REQUESTS = st.builds(Request, NEEDS, st.booleans(), st.booleans(), st.booleans())
MEMORIES = st.builds(Memory, BYTES, BYTES, BYTES, BYTES, BYTES, st.just(0), st.sampled_from([0, 64 * GIB]), BYTES)


def steps(now: Memory, request: Request, gains: list[int]) -> tuple[list[Step], Verdict]:
    """All steps that are taken when each frees so much, and how it ends."""
    done: list[Step] = []
    while isinstance(found := decide(now, request, FLOOR, LADDER, done), Step):
        gain = gains[len(done) % len(gains)]
        now = Memory(now.free + gain, now.available, now.swap_free, now.cache, now.large_free, 0, now.huge_total)
        done.append(found)
    return done, found


@given(MEMORIES, REQUESTS, st.lists(BYTES, min_size=1, max_size=6))
def test_it_ends_and_never_takes_a_step_twice_or_out_of_order(now: Memory, request: Request, gains: list[int]) -> None:
    """Whatever the steps bring, each is taken once at most, the gentlest first, and then there is a verdict."""
    done, verdict = steps(now, request, gains)

    assert done == sorted(set(done), key=LADDER.index)
    assert isinstance(verdict, Verdict)


@given(MEMORIES, REQUESTS, st.lists(BYTES, min_size=1, max_size=6))
def test_directory_entries_go_only_where_that_was_asked_for(now: Memory, request: Request, gains: list[int]) -> None:
    """No drop_caches 3 without `slab`."""
    assert request.slab or Step.SLAB not in steps(now, request, gains)[0]


@given(MEMORIES, REQUESTS)
def test_a_need_beyond_what_can_be_allocated_evicts_nothing(now: Memory, request: Request) -> None:
    """Eviction cannot help there: the verdict comes first."""
    done, verdict = steps(now, request, [0])
    does_not_fit = request.need_bytes + FLOOR > now.allocatable

    assert (verdict is Verdict.DOES_NOT_FIT) == does_not_fit
    assert not (does_not_fit and done)


@given(MEMORIES, REQUESTS)
def test_enough_memory_evicts_nothing(now: Memory, request: Request) -> None:
    """Where need and floor are free, no page of anybody's leaves the cache."""
    done, _ = steps(now, request, [0])

    assert now.at_once < request.need_bytes + FLOOR or not set(done) & set(EVICTIONS)


@given(REQUESTS)
def test_huge_pages_that_are_set_aside_count_alone(request: Request) -> None:
    """Page cache does not make huge pages: nothing is evicted for them."""
    now = Memory(200 * GIB, 200 * GIB, huge_total=64 * GIB, huge_free=4 * GIB)

    assert steps(now, request, [0]) == ([], Verdict.DOES_NOT_FIT)


def test_a_check_changes_nothing() -> None:
    """A request without a need ends at once, on the fullest machine too."""
    assert decide(Memory(0, 0), Request(), FLOOR, LADDER, ()) is Verdict.ENOUGH


def test_memory_in_small_pieces_is_compacted() -> None:
    """Room enough, but not half of the need in blocks of 2 MiB: compaction, and no eviction."""
    now = Memory(100 * GIB, 100 * GIB, large_free=19 * GIB)

    assert steps(now, Request("40G"), [0]) == ([Step.COMPACT], Verdict.MADE_ROOM)


@given(REQUESTS)
def test_an_instance_says_what_was_asked_for(request: Request) -> None:
    """From words to a unit's instance and back nothing is lost."""
    assert from_instance(request.instance) == request


@given(st.text(alphabet=string.ascii_letters + string.digits + "-./ \n\\;$", max_size=30))
def test_nothing_else_is_an_instance(text: str) -> None:
    """What root's program is told is what a request would say, or nothing."""
    with contextlib.suppress(ValueError):
        assert from_instance(text).instance == text


@given(BYTES, BYTES, BYTES, st.integers(0, 100), st.integers(0, 100))
def test_the_exporter_says_the_same(free: int, available: int, swap: int, pages: int, left: int) -> None:
    """The rule for what can be allocated stands in two programs, which must agree."""
    kibibytes = {"MemFree": free >> 10, "MemAvailable": available >> 10, "SwapFree": swap >> 10, "Hugepagesize": 2048}
    text = "".join(f"{name}: {number} kB\n" for name, number in kibibytes.items())
    text += f"HugePages_Total: {pages}\nHugePages_Free: {min(left, pages)}\n"

    assert memory(text, "", 4096).allocatable == exported.allocatable_bytes(exported.meminfo(text))


def test_figures_in_another_form_are_refused() -> None:
    """A meminfo without MemFree is no machine without memory."""
    with pytest.raises(UnreadableError, match="tells no MemFree"):
        memory("MemAvailable: 12 kB\n", "", 4096)
