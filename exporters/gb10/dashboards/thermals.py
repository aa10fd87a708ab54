"""Heat and power: how far from throttling and from power-off, how many watts, and whether power is the fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.dashboards.limits import GREEN, RED
from exporters.dashboards.panels import Query, lines, number, states
from exporters.gb10.dashboards.board import board
from exporters.gb10.dashboards.limits import MARGIN, SLOWED, ZONE
from exporters.gb10.dashboards.states import LOW_POWER, LOW_POWER_WORDS, numbered

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

ABOVE_GPU = "max by (instance) (@thermal_zone_celsius) - max by (instance) (@gpu_temperature_celsius)"
NO_DRIVER = "Needs the community driver spark_hwmon; without it there is nothing here, and nothing is estimated."


def dashboard() -> Dashboard:
    """The dashboard of heat and power."""
    rows = [("Now", _now()), ("Heat", _heat()), ("Slowed", _slowed()), ("Power", _power())]
    return board("Heat and power", "How far from throttling and power-off, and what does it draw?", rows)


def _now() -> list[Builder[Panel]]:
    return [
        number("Hottest zone", "Of all chosen Sparks.", "celsius", "max(@thermal_zone_celsius)", steps=ZONE.steps()),
        number("To power-off", "Degrees until the firmware switches a Spark off, without a log.", "celsius",
               "min(@thermal_zone_critical_distance_celsius)"),
        number("GPU to throttling", "Degrees until a GPU slows itself down.", "celsius",
               "min(@gpu_temperature_margin_celsius)", steps=MARGIN.steps()),
        number("GPU power", "All chosen GPUs together.", "watt", "sum(@gpu_power_watts)"),
        number("From the power bricks", f"All chosen Sparks together. {NO_DRIVER}", "watt",
               'sum(@power_rail_watts{rail="dc_input"})', no_value="no driver"),
        number("GPU energy, a day", "Watt-hours of 24 hours, from the GPU's own counter.", "watth",
               "sum(increase(@gpu_energy_joules_total[1d])) / 3600"),
    ]  # fmt: skip


def _heat() -> list[Builder[Panel]]:
    return [
        lines("Zones of the board", "Named by the firmware: TSOC is the package and the hottest, TGPU the GPU, TUNC "
              "the uncore, the others CPU clusters. Each of them powers the machine off at 104.85 degrees.", "celsius",
              Query("@thermal_zone_celsius", "{{instance}} {{name}}"), limit=ZONE, lowest=None),
        lines("GPU", "The GPU's own sensor; the package runs about ten degrees above it.", "celsius",
              Query("@gpu_temperature_celsius"), lowest=None),
        lines("GPU: degrees to throttling", "At the dashed line and below, the GPU throttles.", "celsius",
              Query("@gpu_temperature_margin_celsius"), limit=MARGIN),
        lines("Package above GPU", "A growing distance at the same load: fan, dust or paste.", "celsius",
              Query(ABOVE_GPU), lowest=None),
    ]  # fmt: skip


def _slowed() -> list[Builder[Panel]]:
    return [
        lines("Share of time slowed", "By reason, from NVML's own durations.", "percentunit",
              Query("rate(@gpu_event_reason_seconds_total[$__rate_interval])", "{{instance}} {{reason}}"),
              limit=SLOWED),
        lines("Clock", "Normal under load: 2300 to 2535 MHz.", "hertz", Query("@gpu_sm_clock_hertz")),
        states("Slowed or stuck", "Stuck at low power: take the brick off the wall for a minute.", LOW_POWER_WORDS,
               Query(numbered("gpu_low_power_state", LOW_POWER))),
    ]  # fmt: skip


def _power() -> list[Builder[Panel]]:
    return [
        lines("GPU", "Now, and from the energy counter, which misses no peak.", "watt",
              Query("@gpu_power_watts", "{{instance}} now"),
              Query("rate(@gpu_energy_joules_total[$__rate_interval])", "{{instance}} by energy")),
        lines("Rails", f"Parts of the machine. {NO_DRIVER}", "watt",
              Query("@power_rail_watts", "{{instance}} {{rail}}")),
        lines("Rails: limits", f"At its limit a rail slows the machine down. {NO_DRIVER}", "watt",
              Query("@power_rail_limit_watts", "{{instance}} {{rail}}")),
        states("Power fault", f"PROCHOT: heat or the power supply made the firmware step in. {NO_DRIVER}",
               {0: ("no", GREEN), 1: ("PROCHOT", RED)}, Query("@power_prochot"), span=12, height=8),
    ]  # fmt: skip
