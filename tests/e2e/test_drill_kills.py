"""`pulumi up` killed at random moments, again and again → every host ends as described and was never half-written."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_killed import LIMIT, processes_of_runs, state_of
from tests.e2e.under_test import until

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = [pytest.mark.lab, pytest.mark.drill]

KILLS = 8
LATEST_S = 20.0


def test_kills_at_random_moments(converged: FleetUnderTest) -> None:
    """Eight kills between start and end: no file is a mixture, nothing survives, and one clean run ends it all."""
    chance = random.Random(20261121)  # noqa: S311  (moments, no secrets)
    good = converged.description.read_text()
    for round_ in range(KILLS):
        limit = f"{round_ + 3}G"
        converged.described(lambda described, limit=limit: described["sparkfleet:base"].update(journal_max_use=limit))
        up = converged.up_in_background()
        time.sleep(chance.uniform(0.2, LATEST_S))
        os.kill(up.pid, signal.SIGKILL)
        up.wait()
        until(lambda: not processes_of_runs(), "the end of every process of the run", within_s=10)
        time.sleep(1)  # what a host was executing ends with its own step
        for host in converged.hosts:
            files = state_of(converged, host)
            assert [name for name in files if "/.sparkfleet-" in name] == []
            assert len(files[LIMIT]) > 0
        converged.pulumi("cancel", "--yes")
    converged.description.write_text(good)
    clean = converged.pulumi("up", "--yes", "--skip-preview")
    assert clean.code == 0, clean.text
    assert converged.changes() == {host: [] for host in converged.hosts}
