"""One lab with four stand-ins for the whole session; all of it is removed afterwards, also on failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lab import spark
from tests.e2e import footprint
from tests.e2e.under_test import FleetUnderTest, adopted_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.footprint import Footprint
    from tests.e2e.under_test import Run

SPARKS = 4
# Beside those of Pulumi.lab.yaml. The last host is the one that is reset at the end.
MORE_ROLES = {
    "spark-02": ["node", "datasets"],
    "spark-04": ["node", "datasets", "jupyter"],
}


@pytest.fixture(scope="session")
def fleet() -> Iterator[FleetUnderTest]:
    """Four adopted stand-ins, an object store and an empty stack; all of it is removed afterwards, also on failure."""
    with adopted_fleet(FleetUnderTest, "e2e", SPARKS, more_roles) as made:
        yield made


def more_roles(config: dict[str, Any]) -> None:
    """What takes long to build stands on some host from the start."""
    for host, roles in MORE_ROLES.items():
        config["sparkfleet:hosts"][host]["roles"] += roles


@dataclass(frozen=True)
class FirstUp:
    """What the first commands on a new fleet said."""

    preview: Run
    with_one_off: Run
    others_left: dict[str, list[dict[str, Any]]]
    all_on: Run


@pytest.fixture(scope="session")
def adopted(fleet: FleetUnderTest) -> Footprint:
    """spark-04 after it was adopted and before anything else was done to it."""
    return footprint.of(fleet, "spark-04")


@pytest.fixture(scope="session")
def first_up(fleet: FleetUnderTest, adopted: Footprint) -> FirstUp:  # noqa: ARG001  (taken before)
    """Preview; `up` one at a time with the first host off; `up` again with all of them on."""
    preview = fleet.pulumi("preview", "--diff")
    spark.halt(fleet.instance, "spark-01")
    with_one_off = fleet.pulumi("up", "--yes", "--skip-preview", "--parallel", "1")
    others_left = fleet.changes("spark-02", "spark-03", "spark-04")
    spark.boot(fleet.instance, ["spark-01"])
    return FirstUp(preview, with_one_off, others_left, fleet.pulumi("up", "--yes", "--skip-preview"))


@pytest.fixture(scope="session")
def converged(fleet: FleetUnderTest, first_up: FirstUp) -> FleetUnderTest:
    """The fleet, every host as described."""
    assert first_up.all_on.code == 0, first_up.all_on.text
    return fleet
