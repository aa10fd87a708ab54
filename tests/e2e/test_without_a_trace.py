"""`spark reset` → the host is what it was before the first `pulumi up`, and can be taken in again.

The last file of the fleet's tests: afterwards one of its hosts is no longer as described.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e import footprint

if TYPE_CHECKING:
    from tests.e2e.footprint import Footprint
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab
HOST = "spark-04"


def test_a_reset_leaves_the_host_as_before(converged: FleetUnderTest, adopted: Footprint) -> None:
    """Every file by content, mode and owner, every unit and every package; the originals are gone, too."""
    refused = converged.spark("reset", HOST)
    assert (refused.code, "--yes spark-04" in refused.text) == (14, True), refused.text

    done = converged.spark("reset", HOST, "--yes", HOST)

    assert done.code == 0, done.text
    # The automation key was rotated meanwhile: the one of today stays.
    differs = footprint.unexplained(converged, HOST, adopted)
    found = [line for line in differs if not line.startswith(footprint.AUTOMATION_KEY)]
    assert not found, "\n".join(found)
    assert not (converged.tree(HOST) / "var/lib/sparkfleet/before").exists()
    records = (converged.instance.folder / "audit/lab.jsonl").read_text().splitlines()
    told = [record["outcome"] for record in map(json.loads, records) if record["kind"] == "reset"]
    assert told == ["began", "proven", "done"]
    again = converged.spark("reset", HOST)
    assert (again.code, "nothing to take back" in again.text) == (0, True), again.text
