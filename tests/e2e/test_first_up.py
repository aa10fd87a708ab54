"""Four factory machines, the first one off → what preview says, who converges, and how the next up ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparkfleet import config
from sparkfleet.host import sources
from sparkfleet.host.desired import desired

if TYPE_CHECKING:
    from tests.e2e.conftest import FirstUp
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


def test_preview_names_every_setting(fleet: FleetUnderTest, first_up: FirstUp) -> None:
    """Before anything exists, `pulumi preview --diff` lists each setting of each host and every bucket."""
    assert first_up.preview.code == 0, first_up.preview.text
    description = config.load(fleet.stack, fleet.instance.root)
    read = sources.read(description)
    for host in fleet.hosts:
        section = first_up.preview.text.split(f'host      : "{host}"')[1].split("sysfs     :")[0]
        assert [key for key in desired(description, host, read).settings if f"{key}" not in section] == []
    assert "lab-datasets" in first_up.preview.text
    assert "lab-models" in first_up.preview.text


def test_one_silent_host_does_not_lose_the_others(first_up: FirstUp) -> None:
    """With the first host off, also one at a time, the other three are as described afterwards."""
    assert first_up.with_one_off.code != 0
    assert first_up.others_left == {"spark-02": [], "spark-03": [], "spark-04": []}


def test_the_error_names_the_host_and_what_to_do(first_up: FirstUp) -> None:
    """The message says which host, which addresses were tried, and what to do next."""
    text = first_up.with_one_off.text
    assert "spark-01 cannot be reached (10.231.5.11 port 22:" in text
    assert "Next: switch it on or correct hosts.spark-01.addresses" in text


def test_no_record_of_the_adoptions_waits(converged: FleetUnderTest) -> None:
    """They were told before there was a store; the `up` that made it has copied them."""
    told = converged.spark("audit", "--json", "--verify").document()
    assert [record["kind"] for record in told["records"]].count("adopt") >= len(converged.hosts)
    assert (told["waiting"], told["disagreements"]) == (0, [])


def test_the_next_up_finishes_the_rest(converged: FleetUnderTest, first_up: FirstUp) -> None:
    """Once the machine is on, the same command brings it to its description too."""
    assert first_up.all_on.code == 0, first_up.all_on.text
    assert converged.changes() == {host: [] for host in converged.hosts}
