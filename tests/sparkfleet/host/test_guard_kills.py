"""The guard killed before each of its effects in turn, and in any order → the host is always of one piece."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.sparkfleet.host.guarded import FakeHost

MOST_EFFECTS = 150


def test_arm_killed_anywhere(tmp_path: Path) -> None:
    """However far arm came: what it did not say yes to was not begun, and the next run can begin at once."""
    for effects in range(MOST_EFFECTS):
        host = FakeHost(tmp_path / str(effects))
        ended = host.do("arm", "a", effects=effects)
        if host.armed:
            assert host.timers == ["a"]  # armed without a timer would be a promise that nobody keeps
            host.change(1)
        host.settle()
        assert host.versions == {"0"}
        assert host.do("arm", "b") == {"id": "b"}
        if ended:
            break
    assert ended
    assert effects > 10


def test_restore_killed_anywhere(tmp_path: Path) -> None:
    """However far a restore came, the next one finishes it."""
    for effects in range(MOST_EFFECTS):
        host = FakeHost(tmp_path / str(effects))
        host.do("arm", "a")
        host.change(1)
        ended = host.do("restore", "a", effects=effects)
        host.settle()
        assert host.versions == {"0"}
        assert not host.armed
        assert host.do("arm", "b") == {"id": "b"}
        if ended:
            break
    assert ended
    assert effects > 10


def test_confirm_killed_anywhere(tmp_path: Path) -> None:
    """However far a confirmation came, the host is all new or all old."""
    outcomes = []
    for effects in range(MOST_EFFECTS):
        host = FakeHost(tmp_path / str(effects))
        host.do("arm", "a")
        host.change(1)
        ended = host.do("confirm", "a", effects=effects)
        host.settle()
        outcomes.append(host.versions)
        assert not host.armed
        assert host.do("arm", "b") == {"id": "b"}
        if ended:
            break
    assert ended
    assert outcomes[0] == {"0"}
    assert outcomes[-1] == {"1"}
    assert all(outcome in ({"0"}, {"1"}) for outcome in outcomes)


def test_what_a_restore_has_begun_nobody_keeps(tmp_path: Path) -> None:
    """However far a killed restore came, the change cannot be confirmed or prolonged once anything of it is gone."""
    for effects in range(MOST_EFFECTS):
        host = FakeHost(tmp_path / str(effects))
        host.do("arm", "a")
        host.change(1)
        ended = host.do("restore", "a", effects=effects)
        whole = host.versions == {"1"}
        answers = [host.do(verb, "a") for verb in ("extend", "confirm")]
        assert whole or all("old state back" in answer["error"] for answer in answers)
        host.settle()
        assert host.versions == ({"1"} if answers[-1] == {"id": "a"} else {"0"})
        if ended:
            break
    assert ended
    assert effects > 10


def test_what_a_full_disk_has_kept_from_being_restored_nobody_keeps(tmp_path: Path) -> None:
    """A restore that could not write a file has begun all the same."""
    host = FakeHost(tmp_path)
    host.do("arm", "a")
    host.change(1)

    assert host.do("restore", "a", bytes_left=0)["failed"]

    assert "has begun to put its old state back" in host.do("confirm", "a")["error"]
    host.settle()
    assert host.versions == {"0"}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arm", "extend", "confirm", "restore", "boot", "change"]),
        st.sampled_from(["a", "b"]),
        st.one_of(st.none(), st.integers(0, 40)),
    ),
    min_size=2,
    max_size=9,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
@example([("arm", "a", None), ("change", "a", None), ("restore", "a", 4), ("confirm", "a", None)])
def test_any_order_of_runs_and_kills(steps: list[tuple[str, str, int | None]]) -> None:
    """Two controllers, kills, reboots: in the end all parts are of one version, and it was armed from or confirmed."""
    folder = Path(tempfile.mkdtemp())
    try:
        host, version, settled = FakeHost(folder), 0, {"0"}
        for verb, name, effects in steps:
            if verb == "change":
                if host.armed:  # nobody touches the way in without a guard
                    version += 1
                    host.change(version)
            elif verb == "boot":
                host.do("restore", effects=effects)
            else:
                host.do(verb, name, effects=effects)
                if verb == "confirm" and not host.armed:
                    settled |= {str(version)}
        host.settle()
        assert len(host.versions) == 1
        assert host.versions <= settled
        assert not host.armed
    finally:
        shutil.rmtree(folder)
