"""Facts of a host → checks: what is looked at and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparkfleet.host.checks import checks

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


@pytest.mark.parametrize(
    ("facts", "verdict", "words"),
    [
        ({"driver": "580.95.05"}, "ok", "580.95.05 is of branch 580"),
        ({"driver": "590.44.01"}, "differs", "the description expects 580"),
        ({"driver": "5801.1"}, "differs", "the description expects 580"),
        ({}, "unknown", "no NVIDIA driver is loaded"),
    ],
)
def test_the_driver_is_compared_with_the_described_branch(
    fleet: Fleet, facts: dict[str, str], verdict: str, words: str
) -> None:
    """The branch is the first number of the version; without a driver nothing is claimed."""
    driver = checks(fleet, facts)[0]

    assert (driver.name, driver.verdict) == ("driver branch", verdict)
    assert words in driver.detail


def test_dgx_os_names_its_version_and_board(fleet: Fleet) -> None:
    """A machine that says what it is, is told so."""
    platform = checks(fleet, {"dgx_os": "7.4.0", "board": "NVIDIA DGX Spark"})[1]

    assert (platform.name, platform.verdict) == ("platform", "ok")
    assert platform.detail == "DGX OS 7.4.0 on NVIDIA DGX Spark"


def test_another_system_is_unknown_and_not_wrong(fleet: Fleet) -> None:
    """Without /etc/dgx-release nothing is claimed; what the machine does say is shown."""
    platform = checks(fleet, {"os": "Debian GNU/Linux 12", "kernel": "6.1.0"})[1]

    assert platform.verdict == "unknown"
    assert platform.detail == "no /etc/dgx-release: Debian GNU/Linux 12, 6.1.0"
