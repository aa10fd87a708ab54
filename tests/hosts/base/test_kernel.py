"""The kernel's settings as they are in force, whatever the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine


UNUSED = ("cramfs", "dccp", "freevxfs", "hfs", "hfsplus", "jffs2", "rds", "sctp", "tipc")
REFUSALS = ("/bin/false", "/bin/true", "/usr/bin/false", "/usr/bin/true")


@pytest.mark.control(
    id="BASE-04", severity="medium",
    source="CIS 1.5.1 to 1.5.3, 3.3.2 to 3.3.6, 3.3.7 (deviates), 3.3.8 to 3.3.10; sysctl-02 (deviates), sysctl-03, "
    "sysctl-04, sysctl-10, sysctl-11, sysctl-13 to sysctl-17, sysctl-20, sysctl-31a, sysctl-32, sysctl-34",
)  # fmt: skip
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


@pytest.mark.control(id="BASE-14", severity="low", source="CIS 1.1.1.1 to 1.1.1.5, 3.2.1 to 3.2.4; os-10 (deviates)")
def test_unused_modules_cannot_be_loaded(machine: Machine) -> None:
    """File systems and protocols that nobody here uses cannot be loaded into the kernel.

    What modprobe would do for each, by all its files together; none of them is loaded.
    """
    loadable = [name for name in UNUSED if machine.modprobe.get(name) not in REFUSALS]
    assert not loadable, f"can be loaded: {', '.join(loadable)}"
    assert machine.container or not (loaded := machine.modules & set(UNUSED)), f"loaded: {', '.join(loaded)}"
