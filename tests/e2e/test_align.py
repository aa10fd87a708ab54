"""`spark align` on live hosts and a real Triton server: what it finds, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import calypso as triton

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def asked(converged: FleetUnderTest) -> Iterator[FleetUnderTest]:
    """The converged fleet with a real server at the described address; both are put back at the end."""
    before = converged.description.read_text()
    url = triton.up(converged.instance, triton.ensure())
    converged.described(lambda config: config["sparkfleet:calypso"].update(url=url, release="25.11", variant="py3"))
    yield converged
    converged.description.write_text(before)
    triton.stop(converged.instance)


def test_hosts_are_judged_with_what_the_server_is(asked: FleetUnderTest) -> None:
    """The described release is another one: that is told, and the real one's CUDA 12 is too old for a GB10."""
    done = asked.spark("align", "spark-01", "spark-02", "--json")
    found = done.document()

    assert done.code == 15, done.text
    assert (found["by"], found["server"]["version"]) == ("server", "2.51.0")
    assert 'write calypso.release: "24.10", or put the server back' in found["differs"]
    assert {host: (one["state"], one["driver"].partition(".")[0]) for host, one in found["hosts"].items()} == {
        "spark-01": ("not-aligned", "580"),
        "spark-02": ("not-aligned", "580"),
    }
    assert found["described_driver"]["release"] == "24.10"


def test_a_move_to_the_described_release_would_fit(asked: FleetUnderTest) -> None:
    """The same hosts, judged with another release."""
    done = asked.spark("align", "spark-01", "--release", "25.11")

    assert done.code == 0, done.text
    assert "aligned" in done.text


def test_a_plan_is_the_same_whatever_the_server_does(asked: FleetUnderTest) -> None:
    """Up with another release, or gone: neither is a change of a host."""
    while_up = asked.changes("spark-01")
    triton.stop(asked.instance)

    assert asked.changes("spark-01") == while_up
    assert asked.spark("align", "spark-01").code == 4
