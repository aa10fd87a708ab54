"""A user's keys and what the controller holds → what to do with them, for every combination; and a key hides itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.cloud import access_keys
from sparkfleet.cloud.access_keys import Held, Listed
from sparkfleet.cloud.identities import plan_keys
from sparkfleet.cloud.objectstore import Key

LISTED = st.lists(
    st.builds(Listed, access_key_id=st.sampled_from(["a", "b", "c"]), active=st.booleans()),
    max_size=2,
    unique_by=lambda key: key.access_key_id,
)
HELD = st.none() | st.builds(
    Held,
    user=st.just("u"),
    generation=st.integers(1, 3),
    key=st.builds(Key, access_key_id=st.sampled_from(["a", "b", "c"]), secret_access_key=st.just("s")),
)
SPARED = st.sets(st.sampled_from(["a", "b", "c"]), max_size=2)


@given(listed=LISTED, held=HELD, generation=st.integers(1, 3), on_host=st.booleans(), spared=SPARED)
def test_every_key_plan_leaves_room_and_never_a_gap(
    *, listed: list[Listed], held: Held | None, generation: int, on_host: bool, spared: set[str]
) -> None:
    """A plan never asks for a third key, and ends no working one that the controller, a host or a rotation may use."""
    plan = plan_keys(listed, held, generation, on_host=on_host, spared=spared)
    there = {key.access_key_id for key in listed}
    active = {key.access_key_id for key in listed if key.active}
    kept = {held.key.access_key_id} & active if held else set()
    ended = {*plan.delete_first, *plan.delete_last}

    assert ended <= there
    assert not (kept | spared & active) & set(plan.delete_first)
    assert not (plan.waits and ended)
    assert (plan.make or plan.waits) == (not kept or held is None or held.generation != generation)
    if not plan.waits:
        assert len(there - set(plan.delete_first)) + plan.make <= access_keys.QUOTA
    if on_host and plan.make:
        assert plan.stays in active or not active
        assert plan.stays not in ended
    if not on_host and not plan.waits and not spared & active:
        assert len(there - ended) + plan.make == 1


def test_a_key_in_memory_hides_its_secret() -> None:
    """The readable form of a key, which lands in tracebacks, names the key and not its secret."""
    assert "hidden" not in f"{Key('AKIA', 'hidden')!r} {Held('u', 1, Key('AKIA', 'hidden'))}"
