"""The kernel's settings as they are in force, whatever the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine


@pytest.mark.control(id="BASE-04", severity="medium", source="CIS 1.5.1, 3.3.2, 3.3.5, 3.3.7 (deviates)")
def test_kernel_setting_is_in_force(machine: Machine, sysctl: str, record_property: Callable[[str, Any], None]) -> None:
    """The running kernel has the described value.

    `sysctl` asks the kernel, whatever files say. A container has a network of its own, the other settings are the outer
    machine's: there our file counts.
    """
    foreign = machine.container and not sysctl.startswith("net.")
    settings = machine.sysctl_file if foreign else machine.sysctls
    found, wanted = settings.get(sysctl, "not known to this kernel"), machine.wanted["sysctls"][sysctl]
    record_property("evidence", f"in a container ({machine.container}): by its file" if foreign else "")
    assert found == wanted, f"{sysctl} is {found}, described is {wanted}"
