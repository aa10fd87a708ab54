"""Nothing is broken, everything is as the machine's maker supports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from reading import Stat


@pytest.mark.control(id="BASE-09", severity="medium", source="sparkfleet")
def test_no_unit_has_failed(machine: Machine) -> None:
    """No systemd unit has failed.

    systemd's list; the described ones have checks of their own.
    """
    failed = [unit for unit in machine.failed_units if unit not in machine.wanted["units"]]
    shown = "\n".join(f"{unit}: {machine.journal(unit, 2)}" for unit in failed[:3])
    assert not failed, f"failed: {', '.join(failed)}\n{shown}"


@pytest.mark.control(id="BASE-10", severity="medium", source="GB10")
def test_driver_is_of_the_supported_branch(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The NVIDIA driver is of the branch that DGX OS supports.

    The version of the loaded module.
    """
    found, branch = machine.driver, machine.wanted["driver_branch"]
    if not found:
        pytest.skip(f"no NVIDIA driver is loaded; described is branch {branch}")
    record_property("evidence", f"driver {found}")
    assert found.split(".")[0] == branch, (
        f"the driver is {found}, supported is branch {branch}; see NVIDIA's release notes"
    )


@pytest.mark.control(id="BASE-11", severity="high", source="sparkfleet")
def test_secrets_are_for_root_alone(machine: Machine) -> None:
    """A secret on the host can be read by root alone.

    Owner and mode of each file that the description puts a secret into.
    """
    paths = machine.wanted["secret_files"]
    if not paths:
        pytest.skip("no secret is described for this host")
    missing = [path for path in paths if path not in machine.files]
    loose = [f"{path}: {at}" for path in paths if (at := machine.files.get(path)) and not root_alone(at)]
    assert not missing, f"not there: {', '.join(missing)}"
    assert not loose, f"owner and mode are {'; '.join(loose)}"


@pytest.mark.control(id="BASE-12", severity="medium", source="sparkfleet")
def test_what_is_described_runs_and_starts_again(machine: Machine) -> None:
    """Every described service runs now and after the next start, as its files say.

    systemd has each unit enabled and active, and has read its files since they were changed. The exporter's and the
    monitor's have checks of their own.
    """
    wrong = []
    for unit in machine.wanted["running_units"]:
        found = machine.units[unit]
        state = f"{found['UnitFileState'] or 'not there'}, {found['ActiveState']}"
        wrong += [f"{unit} is {state}"] if state != "enabled, active" and not has_its_own_check(unit) else []
    wrong += [f"{name}: its files were changed" for name, u in machine.units.items() if u["NeedDaemonReload"] == "yes"]
    assert not wrong, "; ".join(wrong)


def has_its_own_check(unit: str) -> bool:
    """Whether a check of the unit's role says that it does not run."""
    return unit.startswith(("sparkfleet-gb10-", "sparkfleet-firewall", "prometheus", "grafana", "tailscaled"))


def root_alone(at: Stat) -> bool:
    """Whether nobody but root can read it."""
    return at.owner == "root" and not at.mode & 0o077
