"""The compliance pack on stand-ins: a factory machine fails it, a converged one passes, one fault fails one check.

Every control's mutation is in tests/e2e/mutations.py; all of them run in tests/e2e/test_drill_mutations.py.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab import spark
from tests.e2e.mutation import noticed
from tests.e2e.mutations import MUTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.mutation import Mutation
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST, FRESH = "spark-01", "spark-06"  # the first has every role; test_socket converged a spark-05
SAMPLE = ("ACCESS-01", "ACCESS-12", "ACCESS-24", "ACCESS-34", "BASE-12", "MONITOR-02")
UNTOUCHED_FAIL = 30  # checks at least: about half of what such a host is asked


def test_a_converged_fleet_passes(converged: FleetUnderTest, tmp_path: Path) -> None:
    """Nothing fails on hosts as described; JUnit and page name each of them, and every role was asked."""
    junit, page = tmp_path / "verify.xml", tmp_path / "verify.html"
    code, said = converged.verify("--junit", str(junit), "--html", str(page))
    assert code == 0, said
    assert (said["unreachable"], said["summary"].get("failed")) == ({}, None)
    passed = {v["id"].partition("-")[0] for v in said["verdicts"] if v["host"] == HOST and v["outcome"] == "passed"}
    assert passed == {"BASE", "ACCESS", "GPU", "MEMORY", "EXPORTER", "MONITOR"}
    suites = list(ET.parse(junit).getroot())  # noqa: S314  (we wrote it)
    assert [suite.get("name") for suite in suites] == converged.hosts
    assert sum(len(suite) for suite in suites) == len(said["verdicts"])
    assert all(f'id="{host}"' in page.read_text() for host in converged.hosts)


def test_a_host_is_logged_in_to_once(converged: FleetUnderTest) -> None:
    """The whole pack goes over one connection a host."""
    before = {host: converged.logins(host) for host in converged.hosts}
    assert converged.verify()[0] == 0
    assert {host: converged.logins(host) - before[host] for host in converged.hosts} == dict.fromkeys(
        converged.hosts, 1
    )


def test_one_host_that_is_off_hides_none_of_the_others(converged: FleetUnderTest) -> None:
    """It is named with the reason and ends the run with code 4; the others are judged."""
    spark.halt(converged.instance, "spark-04")
    try:
        code, said = converged.verify(HOST, "spark-04")
    finally:
        spark.boot(converged.instance, ["spark-04"])
    assert code == 4
    assert list(said["unreachable"]) == ["spark-04"]
    assert Counter(v["outcome"] for v in said["verdicts"])["passed"] > UNTOUCHED_FAIL


def test_an_untouched_host_fails_many(converged: FleetUnderTest, tmp_path: Path) -> None:
    """A factory machine that was only adopted is not let pass: the checks judge the host, not the description."""
    with fresh(converged):
        code, said = converged.verify(FRESH)
    failed = [v["id"] for v in said["verdicts"] if v["outcome"] == "failed"]
    (tmp_path / "failed").write_text(" ".join(failed))
    assert code == 6
    assert len(failed) >= UNTOUCHED_FAIL, failed
    assert {"ACCESS-08", "ACCESS-20", "ACCESS-25", "BASE-05", "EXPORTER-01"} <= set(failed)


@contextmanager
def fresh(fleet: FleetUnderTest) -> Iterator[None]:
    """One more stand-in, described as the second one and adopted, and nothing else; it is gone afterwards."""
    before = fleet.description.read_text()
    spark.boot(fleet.instance, [FRESH])
    try:
        host = {"addresses": [fleet.instance.address(FRESH)], "roles": ["exporter"]}
        fleet.described(lambda config: config["sparkfleet:hosts"].update({FRESH: host}))
        adopted = fleet.adopt(FRESH)
        assert adopted.code == 0, adopted.text
        yield
    finally:
        spark.halt(fleet.instance, FRESH)
        fleet.description.write_text(before)


@pytest.mark.parametrize(
    "mutation", [m for m in MUTATIONS if m.control in SAMPLE], ids=lambda mutation: mutation.control
)
def test_one_fault_fails_one_check(converged: FleetUnderTest, mutation: Mutation) -> None:
    """A broken thing fails exactly the check about it, with evidence, and ends with code 6."""
    code, failed = noticed(converged, HOST, mutation)
    assert list(failed) == [mutation.control]
    assert mutation.evidence in failed[mutation.control]
    assert code == 6
