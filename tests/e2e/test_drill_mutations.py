"""Every control of the compliance pack and the one thing that breaks it, on a host that only its tailnet reaches."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lab.spark import step_ca
from tests.e2e import wires
from tests.e2e.locked_down import fleet_in_tailnet
from tests.e2e.mutation import noticed
from tests.e2e.mutations import MUTATIONS, NOT_HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.mutation import Mutation
    from tests.e2e.under_test import FleetUnderTest

pytestmark = [pytest.mark.lab, pytest.mark.drill]

HOST, OTHER = "spark-01", "spark-02"
ROLES = ("authority", "identity", "containers", "node", "datasets", "jupyter", "ollama")  # beside those of the lab
# The role label takes 6 GB: test_drill_label.py and test_drill_label_units.py break its controls.
HERE = [mutation for mutation in MUTATIONS if mutation.family != "LABEL"]
TABLE: list[str] = []


def with_every_role(config: dict[str, Any], console: dict[str, str]) -> None:
    """The first host has every role that a stand-in can have; the second one answers it over the wire."""
    config["sparkfleet:access"].update(console=console, tailnet_only=True, open={"enp1s0f0np0": ["all"]})
    config["sparkfleet:hosts"][HOST]["roles"] += ROLES
    wires.describe(config, HOST, OTHER)


@pytest.fixture(scope="module")
def closed() -> Iterator[FleetUnderTest]:
    """Two hosts with every role and an account for the console, whose LAN is closed; at the end the table is shown."""
    with fleet_in_tailnet("drill") as fleet:
        hash_file = fleet.instance.secrets / "console"
        words = ["openssl", "passwd", "-6", "simulated"]
        hash_file.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        hash_file.chmod(0o600)
        console = {"user": "console", "password_hash": f"file:{hash_file}"}
        wires.plug(fleet, HOST, OTHER)
        step_ca.install(fleet.instance, HOST)
        fleet.described(lambda config: with_every_role(config, console))
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        yield fleet
        reasons = [f"{control:10}  not here: {why}" for control, why in NOT_HERE.items()]
        print("\n", *TABLE, *reasons, f"{len(TABLE)} mutations", sep="\n")


@pytest.mark.parametrize("mutation", HERE, ids=lambda mutation: mutation.control)
def test_the_control_fails_and_no_other(closed: FleetUnderTest, mutation: Mutation) -> None:
    """Its own control notices, with evidence; what cannot stand without it is stated, and everything else passes."""
    _, failed = noticed(closed, HOST, mutation)
    others = ", ".join(sorted(failed.keys() - {mutation.control}))
    TABLE.append(f"{mutation.control:10}  {mutation.name}" + (f"  (with it: {others})" if others else ""))
    assert mutation.control in failed, failed
    assert failed.keys() <= {mutation.control, *mutation.also}, failed
    assert mutation.evidence in failed[mutation.control]


def test_everything_was_put_back(closed: FleetUnderTest) -> None:
    """After all of them nothing fails: no mutation left a trace."""
    done = closed.spark("verify", HOST)
    assert done.code == 0, done.text
