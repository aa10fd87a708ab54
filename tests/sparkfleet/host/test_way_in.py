"""Changes → runs: what decides who gets in goes alone and guarded, everything else once and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import SparkfleetError
from sparkfleet.host.plan import Change
from sparkfleet.host.way_in import check_break_glass, is_converged, stages
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

KEY = "file:/etc/ssh/authorized_keys/"
CHANGES = st.lists(st.sampled_from(Role), max_size=8).map(
    lambda roles: [change(f"file:/etc/{n}", role) for n, role in enumerate(roles)]
)


def change(
    key: str, role: Role, before: str | None = "a 0644 root:root", after: str | None = "b 0644 root:root"
) -> Change:
    """A setting that differs."""
    return Change(key, before, after, role, disruptive=False, reason="differs")


@given(CHANGES, st.booleans(), st.booleans())
def test_every_change_is_made_once(changes: list[Change], converged: bool, tailnet_only: bool) -> None:
    """No run is empty, nothing is lost or done twice, and what decides who gets in has one run that is all its own."""
    runs = stages(changes, converged=converged, tailnet_only=tailnet_only)
    assert sorted(c.key for run in runs for c in run.changes) == sorted(c.key for c in changes)
    guarded = [run for run in runs if run.guarded]
    assert len(guarded) <= 1
    if changes:
        assert all(run.changes for run in runs)
    touches = any(c.role is Role.ACCESS or (converged and c.role is Role.TAILNET) for c in changes)
    assert bool(guarded) == (touches and (converged or tailnet_only))
    if not guarded:
        assert len(runs) == 1
    for run in guarded:
        assert {c.role for c in run.changes} <= {Role.ACCESS, Role.TAILNET}


def test_the_tailnet_is_joined_before_the_other_doors_are_closed() -> None:
    """On a new host base and the join come first, then the guarded part, then what needs its firewall."""
    changes = [change(f"role:{role}", role) for role in (Role.EXPORTER, Role.ACCESS, Role.TAILNET, Role.BASE)]
    runs = stages(changes, converged=False, tailnet_only=True)
    assert [({c.role for c in run.changes}, run.guarded) for run in runs] == [
        ({Role.BASE, Role.TAILNET}, False),
        ({Role.ACCESS}, True),
        ({Role.EXPORTER}, False),
    ]


@pytest.mark.parametrize("key", [f"{KEY}bob", "file:/etc/ssh/sshd_config.d/x.conf", "file:/etc/sudoers.d/x"])
def test_what_is_no_longer_described_is_guarded_too(key: str) -> None:
    """A person's key file that goes away belongs to no role any more, and still decides who gets in."""
    (run,) = stages([change(key, Role.BASE, after=None)], converged=True, tailnet_only=False)
    assert run.guarded


def test_a_converged_host_is_one_whose_access_was_applied() -> None:
    """The marker of the role access says so, also of an apply that was interrupted."""
    assert is_converged({"role:access": "pending"})
    assert not is_converged({"role:base": "0123"})


@pytest.fixture
def glass(fleet: Fleet) -> Fleet:
    """A fleet in which bob's keys are for the worst day."""
    people = fleet.access.users
    users = {**people, "bob": people["bob"].model_copy(update={"break_glass": True})}
    return fleet.model_copy(update={"access": fleet.access.model_copy(update={"users": users})})


@pytest.mark.parametrize(
    ("keys", "together"),
    [
        ({"bob": ("a", "b")}, False),
        ({"alice": ("a", "b"), "sparkfleet": ("a", "b")}, False),
        ({"bob": ("a", "b"), "alice": ("a", "b")}, True),
        ({"bob": ("a", "b"), "sparkfleet": ("a", "b")}, True),
        ({"bob": ("a", "b"), "carol": (None, "b")}, True),
        ({"bob": ("a", "b"), "carol": ("a", None)}, True),
        ({"bob": ("a 0600 root:root", "a 0644 root:root"), "alice": ("a", "b")}, False),
    ],
)
def test_break_glass_keys_never_change_together_with_others(
    glass: Fleet, keys: dict[str, tuple[str | None, str | None]], together: bool
) -> None:
    """One run that would change both is refused and names them; a mode alone is no change of keys."""
    changes = [change(f"{KEY}{user}", Role.ACCESS, *values) for user, values in keys.items()]
    if together:
        with pytest.raises(SparkfleetError, match="keys of bob") as raised:
            check_break_glass(glass, "spark-01", changes)
        assert "two runs" in str(raised.value)
    else:
        check_break_glass(glass, "spark-01", changes)
