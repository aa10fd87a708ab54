"""The kernel's settings as they are in force, whatever the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine


@pytest.mark.control(id="BASE-04", severity="medium")
def test_kernel_setting_is_in_force(machine: Machine, sysctl: str) -> None:
    """The running kernel has the described value."""
    found, wanted = machine.sysctls.get(sysctl, "not known to this kernel"), machine.wanted["sysctls"][sysctl]
    assert found == wanted, f"{sysctl} is {found}, described is {wanted}"
