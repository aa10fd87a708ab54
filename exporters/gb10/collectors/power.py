"""The rails of a GB10's power budget manager → power, limits and energy. Nothing where the driver is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from exporters.gb10.collectors import PREFIX, complain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.power import Power


def families(power: Power) -> Iterator[Metric]:
    """Power by rail; it oscillates with the firmware's 100 ms control loop, so prefer rates of energy."""
    watts = GaugeMetricFamily(
        f"{PREFIX}_power_rail_watts",
        "Power of a rail at this moment; sys_total is the machine, dc_input its power supply.",
        labels=["rail"],
    )
    limits = GaugeMetricFamily(
        f"{PREFIX}_power_rail_limit_watts",
        "Power limit in force: pl1, pl2 of the package, syspl1, syspl2 of the machine.",
        labels=["rail"],
    )
    # The firmware counts millijoules in 32 bits: at 100 W it starts again every 12 hours, which rate() takes for a
    # reset and so loses at most one scrape's worth.
    energy = CounterMetricFamily(f"{PREFIX}_power_rail_energy_joules", "Energy of a rail.", labels=["rail"])
    for family, values in ((watts, power.watts), (limits, power.limit_watts), (energy, power.energy_joules)):
        for rail, value in values.items():
            family.add_metric([rail], value)
        if family.samples:
            yield family
    if power.prochot is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_power_prochot", "Not 0 while something signals that the processor is too hot.", power.prochot
        )
    if power.limit_level is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_power_limit_level", "Which power limit the firmware applies; 0 is none.", power.limit_level
        )
    complain(power.faults)
