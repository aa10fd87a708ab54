"""The files of the hwmon device `spbm` (text) → power and energy of a GB10's rails, and its power limits. Pure.

SPBM is the System Power Budget Manager of the GB10's firmware; the driver is a community one (antheas/spark_hwmon), so
most machines have nothing here. Its temperatures are not read at all: the driver takes the raw value for hundredths of
a degree Celsius, sparkdiag found it to be tenths of a Kelvin (3239 = 50.75 °C = thermal zone 0). The ACPI zones tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.gb10.readings.text import number

if TYPE_CHECKING:
    from collections.abc import Mapping

# The driver's labels. A limit's own `input` is left out: an average in one version of the driver, the limit in another.
RAILS = ("sys_total", "soc_pkg", "cpu_gpu", "cpu_p", "cpu_e", "vcore", "dc_input", "gpu", "prereg", "dla")
LIMITS = ("pl1", "pl2", "syspl1", "syspl2")
ENERGIES = ("pkg", "cpu_e", "cpu_p", "gpu")


@dataclass(frozen=True, slots=True)
class Power:
    """Power by rail and by limit in W, energy by rail in J; None and absent keys: not said."""

    watts: Mapping[str, float]
    limit_watts: Mapping[str, float]
    energy_joules: Mapping[str, float]
    prochot: int | None
    limit_level: int | None
    faults: tuple[str, ...] = ()


def power(files: Mapping[str, str]) -> Power:
    """The device's files by name (power1_label, power1_input, …; prochot, pl_level) → a reading."""
    faults: list[str] = []
    watts: dict[str, float] = {}
    limits: dict[str, float] = {}
    joules: dict[str, float] = {}
    for name, text in sorted(files.items()):
        match = re.fullmatch(r"(power|energy)(\d+)_label", name)
        if not match:
            continue
        kind, channel, label = match[1], match[1] + match[2], text.strip()
        wanted = {"power": RAILS, "energy": ENERGIES}[kind]
        file = f"{channel}_cap" if kind == "power" and label in LIMITS else f"{channel}_input"
        if label not in wanted and label not in LIMITS:
            continue
        micro = number(files, file, faults)
        if micro is not None and micro >= 0:
            target = joules if kind == "energy" else limits if label in LIMITS else watts
            target[label] = micro / 1e6
    return Power(
        watts, limits, joules, number(files, "prochot", faults), number(files, "pl_level", faults), tuple(faults)
    )
