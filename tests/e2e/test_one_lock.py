"""Two runs at once on one real host: sshd, sudo and the kernel's lock → one is refused with the holder's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparkfleet import config
from sparkfleet.errors import LockedError
from sparkfleet.host import lock
from sparkfleet.host.connection import Target

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST = "spark-03"


def test_an_up_meets_another_run_and_goes_on_elsewhere(converged: FleetUnderTest) -> None:
    """Somebody rotates keys on one host: `pulumi up` says who, changes the others, and later that one too."""
    good = converged.description.read_text()
    target = Target.of(config.load(converged.stack, converged.instance.root), HOST)
    converged.described(lambda described: described["sparkfleet:base"].update(journal_max_use="3G"))
    try:
        with lock.held(target, "spark rotate ssh"):
            refused = converged.pulumi("up", "--yes", "--skip-preview")
            untouched = [host for host, changes in converged.changes().items() if changes]
            with pytest.raises(LockedError, match=rf'{HOST} is held by "spark rotate ssh" of '):
                lock.Held(target, "spark lockdown")
        again = converged.pulumi("up", "--yes", "--skip-preview")
    finally:
        converged.description.write_text(good)
        restored = converged.pulumi("up", "--yes", "--skip-preview")

    assert refused.code != 0
    assert f'{HOST} is held by "spark rotate ssh" of ' in refused.text
    assert untouched == [HOST]
    assert again.code == 0, again.text
    assert restored.code == 0, restored.text
    assert "took over from" not in again.text
