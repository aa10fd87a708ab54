"""A described fleet → rings; a run → the file it stands in, and the words about it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import LockedError, UpgradeError
from sparkfleet.host import upgrade, upgrade_report, upgrade_rings, upgrade_state
from sparkfleet.host.upgrade import Act, Step
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path


def fleet(count: int, monitors: AbstractSet[int] = frozenset(), **rings: object) -> Fleet:
    """So many hosts, some of them monitors."""
    hosts = {
        f"spark-{n:02d}": {"addresses": [f"192.0.2.{n}"], "roles": ["monitor"] if n in monitors else []}
        for n in range(1, count + 1)
    }
    return Fleet.model_validate({"fleet": "office", "hosts": hosts, "upgrade": rings})


def sizes(described: Fleet) -> list[int]:
    """How many hosts each ring has."""
    return [len(ring.hosts) for ring in upgrade_rings.rings(described)]


@given(st.integers(1, 40), st.sets(st.integers(1, 40)), st.data())
def test_every_host_is_in_exactly_one_ring(count: int, monitors: set[int], data: st.DataObject) -> None:
    """Whatever is described, and whichever hosts are asked for."""
    names = [f"spark-{n:02d}" for n in range(1, count + 1)]
    mixed = data.draw(st.permutations(names))
    cut = data.draw(st.integers(0, count))
    described = fleet(count, monitors, canary=mixed[: cut // 3], wave=mixed[cut // 3 : cut])
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1))

    assert sorted(h for ring in upgrade_rings.rings(described) for h in ring.hosts) == names
    found = upgrade_rings.rings(described, chosen)
    assert sorted(h for ring in found for h in ring.hosts) == sorted(chosen)
    assert all(ring.hosts for ring in found)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (4, [1, 1, 2]), (8, [1, 2, 5]), (16, [1, 4, 11])]
)
def test_undescribed_rings_suit_small_fleets(count: int, expected: list[int]) -> None:
    """One, a quarter of the others, the rest."""
    assert sizes(fleet(count)) == expected


def test_who_watches_goes_last() -> None:
    """A monitor is no canary unless somebody says so, or there is nobody else."""
    rings = upgrade_rings.rings(fleet(3, monitors={1}))

    assert [ring.hosts for ring in rings] == [("spark-02",), ("spark-03",), ("spark-01",)]
    assert upgrade_rings.rings(fleet(1, monitors={1}))[0].hosts == ("spark-01",)
    assert upgrade_rings.rings(fleet(3, {1}, canary=["spark-01"]))[0].hosts == ("spark-01",)


def stopped() -> upgrade.Run:
    """Three hosts: one through, one that stopped the run at its boot target, one untouched."""
    run = upgrade.begin("upgrade", "office", upgrade_rings.rings(fleet(3)), id_="0a0b0c0d", began="2026-11-21")
    served = {Step.CHECK: {"served": ("vllm.service",)}, Step.REBOOT: {"boot_before": "a" * 36, "boot_after": "b" * 36}}
    while act := upgrade.next_act(run):
        if act == Act(step=Step.TARGET, host="spark-02"):
            return upgrade.failed(run, act, "boot-target: no module nvidia", "install it.")
        run = upgrade.done(run, act, **served.get(act.step, {}))
    raise AssertionError(run)


def test_the_report_says_why_and_how_to_go_on() -> None:
    """Each host's state, the reason, the next command, and what stands still until then."""
    run = stopped()
    document = upgrade_report.document(run)

    assert [host["state"] for host in document["hosts"]] == ["done", "stopped here", "untouched"]
    assert (document["stopped_at"], document["untouched"]) == ("spark-02", ["spark-03"])
    assert document["why"] == "boot-target: no module nvidia"
    assert document["way_on"] == [
        "install it",
        "then `spark upgrade --resume` tries spark-02 again where it stopped, and goes on",
        "or `spark upgrade --resume --skip spark-02` leaves it as it is, and goes on with the others",
        "stopped on spark-02 until then: vllm.service",
    ]
    assert json.loads(json.dumps(document)) == document


def test_the_page_holds_the_same() -> None:
    """And nothing that a host said is taken for markup."""
    run = stopped()
    bent = run.model_copy(update={"hosts": tuple(h.model_copy(update={"why": h.why and "<b>"}) for h in run.hosts)})
    page = upgrade_report.page(bent, dt.datetime(2026, 11, 21, tzinfo=dt.UTC))

    assert "stopped at spark-02" in page
    assert "aaaaaaaa → bbbbbbbb" in page
    assert "<b>" not in page


def test_a_run_is_found_again_as_it_was(tmp_path: Path) -> None:
    """Written whole, for this user alone, and read back equal."""
    described = Fleet.model_validate({**fleet(3).model_dump(), "controller": {"folder": tmp_path}})
    assert upgrade_state.read(described, "upgrade") is None

    upgrade_state.write(described, stopped())

    assert upgrade_state.read(described, "upgrade") == stopped()
    assert upgrade_state.read(described, "reboot") is None
    assert upgrade_state.file(described, "upgrade").stat().st_mode & 0o777 == 0o600


def test_a_broken_file_is_told_and_not_guessed(tmp_path: Path) -> None:
    """Half a state is no state."""
    described = Fleet.model_validate({**fleet(1).model_dump(), "controller": {"folder": tmp_path}})
    upgrade_state.write(described, stopped())
    file = upgrade_state.file(described, "upgrade")
    file.write_text(file.read_text()[:-20])

    with pytest.raises(UpgradeError, match="cannot be read"):
        upgrade_state.read(described, "upgrade")


def test_a_second_run_on_this_controller_is_refused(tmp_path: Path) -> None:
    """While the first is under way, and no longer."""
    described = Fleet.model_validate({**fleet(1).model_dump(), "controller": {"folder": tmp_path}})
    with (
        upgrade_state.alone(described, "upgrade"),
        pytest.raises(LockedError),
        upgrade_state.alone(described, "upgrade"),
    ):
        pass
    with upgrade_state.alone(described, "upgrade"):
        pass
