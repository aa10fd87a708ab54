"""Observed settings against desired ones → exactly the changes that lead from one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.plan import PENDING, Change, plan, roles_of
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
OTHER_KEYS = st.sampled_from(["file:/etc/old", "link:/etc/older", "unit:old.service", "secret:/etc/sparkfleet/old"])
VALUES = st.sampled_from(["0123456789abcdef 0644 root:root", "not a plain file", PENDING, "disabled", "no sudo"])


@pytest.fixture
def wanted(fleet: Fleet, project_sources: Sources) -> Desired:
    """A host with every role."""
    return desired(fleet, "spark-01", project_sources)


@st.composite
def observations(draw: st.DrawFn, described: dict[str, str]) -> dict[str, str]:
    """What a host may have: described settings kept, lost or altered, and settings that are not described."""
    keys = st.sampled_from(sorted(described))
    lost = draw(st.sets(keys))
    found = described | draw(st.dictionaries(keys, VALUES)) | draw(st.dictionaries(OTHER_KEYS, VALUES))
    return {key: value for key, value in found.items() if key not in lost}


def carried_out(observed: dict[str, str], changes: list[Change]) -> dict[str, str]:
    """What a host has after every change was applied to it."""
    after = dict(observed)
    for change in changes:
        assert after.get(change.key) == change.before
        after.pop(change.key, None)
        if change.after is not None:
            after[change.key] = change.after
    return after


def test_a_host_that_is_as_described_has_nothing_to_change(wanted: Desired) -> None:
    """The plan of the described settings against themselves is empty."""
    assert plan(wanted.settings, wanted) == []


def test_a_host_that_has_nothing_gets_every_setting(wanted: Desired) -> None:
    """Against a fresh host the plan names each setting once, role by role in their order, as not there yet."""
    changes = plan({}, wanted)

    assert {change.key: change.after for change in changes} == wanted.settings
    assert len(changes) == len(wanted.settings)
    assert changes == sorted(changes, key=lambda change: (wanted.roles.index(change.role), change.key))
    assert {change.reason for change in changes} == {"not there yet"}


@REUSED
@given(data=st.data())
def test_applying_every_change_gives_the_description(wanted: Desired, data: st.DataObject) -> None:
    """Whatever was observed, the changes lead to the described settings and to nothing beside them."""
    observed = data.draw(observations(wanted.settings))

    assert carried_out(observed, plan(observed, wanted)) == wanted.settings


@REUSED
@given(data=st.data())
def test_only_what_differs_is_named_and_each_change_says_why(wanted: Desired, data: st.DataObject) -> None:
    """A change has two different values and a reason; a setting that is right is in no change."""
    observed = data.draw(observations(wanted.settings))
    changes = plan(observed, wanted)

    assert all(change.before != change.after and change.reason for change in changes)
    assert not {c.key for c in changes} & {k for k, v in wanted.settings.items() if observed.get(k) == v}


@REUSED
@given(data=st.data())
def test_every_change_of_a_described_setting_names_its_role(wanted: Desired, data: st.DataObject) -> None:
    """What is described belongs to its role; what is described no more goes with base, and people with access."""
    changes = plan(data.draw(observations(wanted.settings)), wanted)

    gone = {"user": Role.ACCESS}
    assert all(
        change.role == (wanted.role_of(change.key) or gone.get(change.key.partition(":")[0], Role.BASE))
        for change in changes
    )
    assert roles_of(changes) == [r for r in Role if r in {change.role for change in changes}]


@pytest.mark.parametrize(
    ("key", "before", "reason"),
    [
        ("role:access", PENDING, "an earlier apply was interrupted"),
        ("role:access", "0123456789abcdef", "the role's tasks changed"),
        ("file:/etc/timezone", "0123456789abcdef 0644 root:root", "content differs"),
        ("file:/etc/timezone", "not a plain file", "content differs"),
        ("listing:/etc/ssh/sshd_config.d", "00-sparkfleet.conf evil.conf", "holds other files than described"),
        ("secret:/etc/sparkfleet/s3.json", "touched", "the host's key is another one, or the file was touched"),
        ("unit:prometheus.service", "enabled,failed", "differs"),
    ],
)
def test_a_change_says_in_a_few_words_why(wanted: Desired, key: str, before: str, reason: str) -> None:
    """People read why beside the two values."""
    [change] = plan({**wanted.settings, key: before}, wanted)

    assert (change.key, change.before, change.after, change.reason) == (key, before, wanted.settings[key], reason)


def test_a_file_of_other_mode_is_told_from_one_of_other_content(wanted: Desired) -> None:
    """The same digest with another mode is a matter of owner or mode."""
    right = wanted.settings["file:/etc/timezone"]

    [change] = plan({**wanted.settings, "file:/etc/timezone": right.replace("0644", "0666")}, wanted)

    assert change.reason == "owner or mode differs"


def test_what_is_no_longer_described_is_removed_with_base(wanted: Desired) -> None:
    """A file that was shipped once and is described no more becomes a change to nothing, carried out by base."""
    [change] = plan({**wanted.settings, "file:/etc/old": "0123456789abcdef 0644 root:root"}, wanted)

    assert (change.after, change.reason, change.disruptive) == (None, "no longer described", False)
    assert roles_of([change]) == [Role.BASE]


def test_a_change_that_may_cut_connections_says_so(wanted: Desired) -> None:
    """A lost sshd drop-in is disruptive to mend, a lost time zone is not."""
    lost = ("file:/etc/ssh/sshd_config.d/00-sparkfleet.conf", "file:/etc/timezone")
    changes = plan({k: v for k, v in wanted.settings.items() if k not in lost}, wanted)

    assert {c.key: c.disruptive for c in changes} == {lost[0]: True, lost[1]: False}
