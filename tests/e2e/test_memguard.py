"""People on a host → the memory guard by its unit: what it refuses, and what else systemd does for them: nothing.

Figures and switches are simulated here; with those of a kernel: test_drill_memguard.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import gb10
from tests.e2e.short_memory import PERSON, UNTOUCHED, Stand
from tests.e2e.under_test import until

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

# Of the idle GB10 91.8 GiB are free and 113 available: with the floor of 8 this wants an eviction.
NEED = "--need 95G"
DONE, DOES_NOT_FIT, SHORT, SERVING, TOO_SOON, NOT_ALLOWED = 0, 3, 4, 5, 6, 7


@pytest.fixture
def stand(converged: FleetUnderTest) -> Stand:
    """The first host."""
    return Stand(converged, "spark-01")


def test_a_described_person_starts_the_guard_and_nothing_else(stand: Stand) -> None:
    """No other unit, no other verb, not with another unit beside it, and not over a job that serves."""
    guard = "spark-memguard@40G.service"
    allowed = [f"start {guard}", "start spark-memguard@40G-slab-watch.service"]
    refused = [
        f"stop {guard}", f"restart {guard}", f"enable {guard}", f"start {guard} ssh.service", "start ssh.service",
        "start spark-memguard@40G-force.service", "start spark-memguard@check.service", "daemon-reload",
        "start sparkfleet-memguard-watch.service", "start spark-memguard@40G.timer",
        "set-property spark-memguard@40G.service CPUWeight=1",
    ]  # fmt: skip
    with stand.described():
        assert [words for words in allowed if not stand.may(words)] == []
        assert [words for words in refused if stand.may(words)] == []
        assert not stand.may(f"start {guard}", user="nobody")
        stand.says("systemctl stop sparkfleet-memguard-watch.service")


def test_a_load_begins_when_there_is_room(stand: Stand) -> None:
    """As a wrapper, and as ExecStartPre of a service without privileges: without room neither starts anything."""
    wrapped = f"runuser -u {PERSON} -- spark-memguard --need {{}} -- echo begun"
    service = (
        f"systemd-run --quiet --wait --collect --uid={PERSON} --property=Type=oneshot "
        "--property='ExecStartPre=/usr/local/bin/spark-memguard --need {}' true"
    )
    with stand.described():
        assert stand.says(wrapped.format("1G")).endswith("begun\n")
        assert stand.run(service.format("1G")).returncode == DONE
        refused = stand.run(wrapped.format("999T"))
        assert (refused.returncode, "begun" in refused.stdout) == (DOES_NOT_FIT, False)
        assert stand.run(service.format("999T")).returncode != DONE


def test_somebody_who_is_not_described_is_told_so(stand: Stand) -> None:
    """The client ends with 7; nobody is asked for a password, and nothing is dropped."""
    with stand.described():
        assert stand.guard(NEED, user="nobody") == (NOT_ALLOWED, {})
        assert stand.switch == UNTOUCHED


def test_nothing_is_evicted_while_a_unit_serves(stand: Stand) -> None:
    """An active unit of the description is named; when it has ended, caches are dropped (recorded)."""
    with stand.described(serving=["serving-lab*.service"]):
        stand.says("systemd-run --quiet --unit=serving-lab-1 sleep 60")
        code, report = stand.guard(NEED)
        assert (code, report["serving"], report["steps"], stand.switch) == (
            SERVING, ["serving-lab-1.service"], [], UNTOUCHED,
        )  # fmt: skip
        stand.says("systemctl stop serving-lab-1")
        code, report = stand.guard(NEED)
        assert (code, [step["step"] for step in report["steps"]], stand.switch) == (SHORT, ["drop_caches 1"], "1")


def test_nothing_is_evicted_while_a_program_computes(stand: Stand) -> None:
    """NVML (simulated) names a process of the GPU: no unit need be described."""
    tree = stand.fleet.tree(stand.host)
    with stand.described():
        gb10.load(tree, "inference")
        try:
            until(lambda: stand.guard("--need 20G")[0] == SERVING, "a refusal", within_s=10)
            code, report = stand.guard("--need 20G")
            assert (code, report["serving"], report["simulated"]) == (SERVING, ["a program (process 6872)"], True)
            assert stand.switch == UNTOUCHED
        finally:
            gb10.load(tree, "idle")
            until(lambda: stand.guard(NEED)[0] == SHORT, "the free memory of an idle machine", within_s=10)


def test_caches_are_dropped_once_in_the_described_time(stand: Stand) -> None:
    """The second one within 60 s is refused, says how long it has to wait, and drops nothing."""
    with stand.described():
        first, _ = stand.guard(NEED)
        stand.says(f"echo {UNTOUCHED} > /var/lib/gb10/proc/sys/vm/drop_caches")
        second, report = stand.guard(NEED)
        assert (first, second, stand.switch) == (SHORT, TOO_SOON, UNTOUCHED)
        assert 30 < report["wait_s"] <= 60


def test_refusals_leave_no_failed_unit(stand: Stand) -> None:
    """Whoever may start the unit chooses its instance: none of them stays loaded."""
    with stand.described():
        stand.guard("--need 999T")
        assert stand.says("systemctl list-units --all --no-legend 'spark-memguard@*'").strip() == ""


def test_a_container_engine_is_ended_late(stand: Stand) -> None:
    """An engine that starts gets its part of the promise and its score (a program in its place: simulated)."""
    engine = "/run/systemd/system/docker.service"
    stand.says(
        f"printf '[Service]\\nExecStart=sleep 60\\n' > {engine}; systemctl daemon-reload; systemctl start docker"
    )
    try:
        shown = stand.says("systemctl show --property=ControlGroup,MemoryMin,OOMScoreAdjust docker").split()
        # The score itself cannot be lowered in a container: systemd's word is all that there is.
        group, promised = "ControlGroup=/sparkfleet.slice/docker.service", f"MemoryMin={128 << 20}"
        assert set(shown) == {group, promised, "OOMScoreAdjust=-500"}
    finally:
        stand.says(f"systemctl stop docker; rm {engine}; systemctl daemon-reload")
