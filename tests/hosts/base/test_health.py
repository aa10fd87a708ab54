"""Nothing is broken, everything is as the machine's maker supports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine


@pytest.mark.control(id="BASE-09", severity="medium", source="sparkfleet")
def test_no_unit_has_failed(machine: Machine) -> None:
    """No systemd unit has failed.

    The described ones have checks of their own.
    """
    rows = machine.says("systemctl list-units --state=failed --plain --no-legend").splitlines()
    failed = [row.split()[0] for row in rows if row and row.split()[0] not in machine.wanted["units"]]
    shown = "\n".join(f"{unit}: {machine.journal(unit, 2)}" for unit in failed[:3])
    assert not failed, f"failed: {', '.join(failed)}\n{shown}"


@pytest.mark.control(id="BASE-10", severity="medium", source="GB10")
def test_driver_is_of_the_supported_branch(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The NVIDIA driver is of the branch that DGX OS supports."""
    found = machine.says("cat %s 2>/dev/null || true", f"{machine.wanted['sysfs']}/module/nvidia/version").strip()
    branch = machine.wanted["driver_branch"]
    if not found:
        pytest.skip(f"no NVIDIA driver is loaded; described is branch {branch}")
    record_property("evidence", f"driver {found}")
    assert found.split(".")[0] == branch, (
        f"the driver is {found}, supported is branch {branch}; see NVIDIA's release notes"
    )


@pytest.mark.control(id="BASE-11", severity="high", source="sparkfleet")
def test_secrets_are_for_root_alone(machine: Machine) -> None:
    """A secret on the host can be read by root alone."""
    paths = machine.wanted["secret_files"]
    if not paths:
        pytest.skip("no secret is described for this host")
    rows = machine.says("stat -c '%U %a %n' " + " ".join(paths)).splitlines()
    loose = [row for row in rows if not row.startswith(("root 600 ", "root 400 "))]
    assert not loose, f"owner and mode are {'; '.join(loose)}"
