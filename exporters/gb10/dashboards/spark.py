"""One Spark: what it does now, why it is slow, who uses its memory, and whether its parts are well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.dashboards.limits import ANY
from exporters.dashboards.panels import Query, labels, lines, number, states
from exporters.gb10.dashboards.board import board
from exporters.gb10.dashboards.limits import BLOCKED, MARGIN, MEMORY, SLOWED, WORN, ZONE
from exporters.gb10.dashboards.states import ANSWERS, LOW_POWER, LOW_POWER_WORDS, PAIR, PAIR_WORDS, numbered

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

STATE = numbered("gpu_low_power_state", LOW_POWER)
# By the time of the last one, not by increase(), which misses the first of a kind: its series starts at 1.
XIDS = "count(time() - @kernel_log_xid_last_timestamp_seconds < 86400)"
# There whenever the kernel log is read: without a single XID it makes the answer 0, not nothing.
READ = "count(@privileged_age_seconds)"


def dashboard() -> Dashboard:
    """The dashboard of one Spark."""
    return board("One Spark", "What it does now, why it is slow, who uses it, whether its parts are well.", [
        ("Now", _now()),
        ("GPU", _gpu()),
        ("Does it answer", [
            states("Answers", "Pings but no SSH: out of memory, most likely. Neither: down or off the network.",
                   ANSWERS, Query('@up{job="gb10"}', "exporter"), Query("@nvml_up", "GPU driver (NVML)"),
                   Query('@probe_success{job="host_icmp"}', "ping"), Query('@probe_success{job="host_ssh"}', "SSH")),
            lines("GPU driver blocked for", "How long the call that hangs has been hanging; 8 to 12 minutes are on "
                  "record. Meanwhile every other curve goes on.", "s", Query("@nvml_stuck_seconds", "blocked for"),
                  limit=BLOCKED),
            states("Collectors", "Which parts of the exporter gave data.", ANSWERS,
                   Query("@collector_success", "{{collector}}"), span=12, height=8),
        ]),
        ("Parts", _parts()),
        ("What it is", [
            labels("Machine", "Model, driver, release, kernel.", "@machine_info", "@system_info", "@driver_info"),
            labels("Firmware", "Versions, as fwupd reports them.", "@firmware_info"),
        ]),
    ], several=False)  # fmt: skip


def _now() -> list[Builder[Panel]]:
    return [
        number("GPU", "Its state: ok, or why it is slow.", "none", STATE, words=LOW_POWER_WORDS),
        number("In use", "Share of the time in which the GPU worked.", "percentunit", "avg(@gpu_utilization_ratio)"),
        number("Hottest zone", "The hottest of the board's thermal zones.", "celsius", "max(@thermal_zone_celsius)",
               steps=ZONE.steps()),
        number("To throttling", "Degrees until the GPU slows itself down.", "celsius",
               "min(@gpu_temperature_margin_celsius)", steps=MARGIN.steps()),
        number("Memory left", "What programs can still get.", "bytes", "@memory_available_bytes",
               steps=MEMORY.steps()),
        number("Up for", "Since the last boot.", "s", "time() - @boot_timestamp_seconds"),
    ]  # fmt: skip


def _gpu() -> list[Builder[Panel]]:
    return [
        lines("Use", "Share of the time in which the GPU worked.", "percentunit",
              Query("@gpu_utilization_ratio", "GPU {{gpu}}"), highest=1),
        lines("Clock", "Normal under load: 2300 to 2535 MHz. Far below while busy and cool: stuck at low power.",
              "hertz", Query("@gpu_sm_clock_hertz", "now"), Query("@gpu_application_clock_hertz", "application"),
              Query("@gpu_sm_clock_max_hertz", "maximum")),
        lines("Share of time slowed", "By reason, from NVML's own durations. The momentary flags miss most of it.",
              "percentunit", Query("rate(@gpu_event_reason_seconds_total[$__rate_interval])", "{{reason}}"),
              limit=SLOWED),
        lines("Power", "The GPU's share; the whole machine draws more.", "watt",
              Query("@gpu_power_watts", "GPU {{gpu}}")),
        states("Slowed or stuck", "Stuck: pull the brick off the wall and off the Spark for a minute.", LOW_POWER_WORDS,
               Query(STATE, "GPU"), height=4),
        lines("GPU memory by program", "As the driver counts it, by unit and program. GPU and CPU share one memory.",
              "bytes", Query("@gpu_process_memory_bytes", "{{unit}} {{process}}"), stacked=True, span=24),
    ]  # fmt: skip


def _parts() -> list[Builder[Panel]]:
    return [
        number("GPU errors, a day", "How many kinds of XID the kernel log has of the last 24 hours.", "none",
               f"{XIDS} or 0 * {READ}", steps=ANY),
        number("Memory refusals, a day", "The GPU driver could not get memory: it comes before a wedge.", "none",
               "increase(@kernel_log_out_of_memory_total[1d])", steps=ANY, decimals=0),
        number("Unclean boots", "Boots after a power cut or a hang, since the exporter was installed.", "none",
               "@boot_unclean_total"),
        states("Network pairs", "ConnectX-7: each port is a pair of links, both must be up.", PAIR_WORDS,
               Query(numbered("connectx_pair_state", PAIR, "pair"), "{{pair}}"), span=12, height=4),
        lines("Disk left", "Room on each file system.", "bytes",
              Query("@filesystem_available_bytes", "{{mountpoint}}")),
        lines("SSD worn", "Share of the written amount that the maker grants.", "percentunit",
              Query("@nvme_percentage_used_ratio", "{{device}}"), limit=WORN, highest=1),
    ]  # fmt: skip
