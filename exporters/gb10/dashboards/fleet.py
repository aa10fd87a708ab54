"""All Sparks at a glance: is anything wrong, are they used, are they hot, will memory run out.

The first row answers for the whole fleet, the table says which Spark, the curves say since when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.dashboards.limits import ALL_WELL, ANY
from exporters.dashboards.panels import Column, Query, alert_list, lines, number, per, states
from exporters.gb10.dashboards.board import UIDS, board
from exporters.gb10.dashboards.limits import MEMORY, ZONE
from exporters.gb10.dashboards.states import ANSWERS, LOW_POWER, LOW_POWER_WORDS, numbered

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.stat import Panel
    from grafana_foundation_sdk.models.dashboard import Dashboard

UP = '@up{job="gb10"}'
STATE = numbered("gpu_low_power_state", LOW_POWER)
FIRING = 'count(ALERTS{alertstate="firing",severity=~"page|ticket"})'
EVALUATED = 'count(ALERTS{alertname="Watchdog",alertstate="firing"})'


def dashboard() -> Dashboard:
    """The fleet overview."""
    return board("GB10 fleet", "Is anything wrong, is it used, is it hot, will memory run out?", [
        ("In five seconds", _in_five_seconds()),
        ("Which Spark", [
            per("Every Spark", "One line a Spark. A click on its name opens it.", _columns(),
                by="instance", name="Spark", link=UIDS["One Spark"]),
            alert_list("Alerts", "Firing and pending, from whichever evaluator pages."),
        ]),
        ("Since when", [
            states("Telemetry", "Does the exporter answer, and does the GPU behind it?", ANSWERS,
                   Query(UP, "{{instance}}: exporter"), Query("@nvml_up", "{{instance}}: GPU driver")),
            lines("Use", "How busy the GPUs are. Long lines at zero are Sparks that nobody uses.", "percentunit",
                  Query("@gpu_utilization_ratio"), highest=1),
            lines("Hottest zone", "Of each Spark. Power-off without a log comes at 104.85 degrees.", "celsius",
                  Query("max by (instance) (@thermal_zone_celsius)"), limit=ZONE, lowest=None),
            lines("Memory left", "What programs can still get on each Spark.", "bytes",
                  Query("@memory_available_bytes"), limit=MEMORY),
            lines("GPU power", "Watts of each GPU.", "watt", Query("@gpu_power_watts")),
            states("Slowed or stuck", "Why a busy GPU is slow. Stuck at low power: take the brick off the wall.",
                   LOW_POWER_WORDS, Query(STATE)),
        ]),
    ])  # fmt: skip


def _in_five_seconds() -> list[Panel]:
    return [
        number("Alerts firing", "Pages and tickets that fire now. The dead man's alert, which always fires, proves "
               "that rules are evaluated here; where it is missing, this says so instead of 0.", "none",
               f"{FIRING} or 0 * {EVALUATED}", steps=ANY, no_value="not evaluated here"),
        number("Sparks not answering", "Exporters that Prometheus cannot reach.", "none", f"sum(1 - {UP})", steps=ANY),
        number("Hottest spot", "The hottest thermal zone of any Spark: the package is hotter than the GPU.", "celsius",
               "max(@thermal_zone_celsius)", steps=ZONE.steps()),
        number("Least memory left", "On the Spark that has least: what programs can still get (MemAvailable). A Spark "
               "that runs out stops answering, often without a log.", "bytes", "min(@memory_available_bytes)",
               steps=MEMORY.steps()),
        number("GPUs in use", "Mean of all GPUs.", "percentunit", "avg(@gpu_utilization_ratio)"),
        number("GPU power", "All GPUs together; the rest of the machines comes on top.", "watt",
               "sum(@gpu_power_watts)"),
    ]  # fmt: skip


def _columns() -> list[Column]:
    in_use = "1 - min by (instance) (@memory_available_bytes / @memory_total_bytes)"
    return [
        Column("Answers", "none", f"max by (instance) ({UP})", ALL_WELL, ANSWERS),
        Column("GPU", "none", STATE, words=LOW_POWER_WORDS),
        Column("In use", "percentunit", "avg by (instance) (@gpu_utilization_ratio)"),
        Column("Hottest zone", "celsius", "max by (instance) (@thermal_zone_celsius)", ZONE.steps()),
        Column("Memory left", "bytes", "min by (instance) (@memory_available_bytes)", MEMORY.steps()),
        Column("Memory in use", "percentunit", in_use),
        Column("GPU power", "watt", "sum by (instance) (@gpu_power_watts)"),
        Column("GPU programs", "none", "sum by (instance) (@gpu_compute_processes)"),
        Column("Up for", "s", "time() - max by (instance) (@boot_timestamp_seconds)"),
    ]
