"""Unified memory: how much can still be had, what holds the rest, and the signs before a Spark stops answering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.dashboards.limits import ANY
from exporters.dashboards.panels import Query, lines, number
from exporters.gb10.dashboards.board import board
from exporters.gb10.dashboards.limits import MEMORY

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

USED = "@memory_total_bytes - @memory_available_bytes"
SOME, ALL = (f'rate(@memory_pressure_seconds_total{{kind="{kind}"}}[$__rate_interval])' for kind in ("some", "full"))


def dashboard() -> Dashboard:
    """The memory dashboard."""
    answers = "CPU and GPU share one memory: how much is left, who has the rest, is it about to run out?"
    rows = [("Is there room", _room()), ("Where it is", _held()), ("Signs before it stops answering", _signs())]
    return board("Memory", answers, rows)


def _room() -> list[Builder[Panel]]:
    return [
        number("Least left", "What programs can still get on the fullest Spark (MemAvailable).", "bytes",
               "min(@memory_available_bytes)", steps=MEMORY.steps()),
        number("Most a model can take", "NVIDIA's formula: available memory and free swap, or the free huge pages "
               "where those are set up.", "bytes", "max(@memory_allocatable_bytes)"),
        number("In use", "Of the fullest Spark.", "percentunit",
               "1 - min(@memory_available_bytes / @memory_total_bytes)"),
        number("Everything waits", "Share of time in which every program stood still for lack of memory.",
               "percentunit", f"max({ALL})"),
        number("Driver refusals, a day", "The GPU driver could not get memory: it comes before a wedge.", "none",
               "sum(increase(@kernel_log_out_of_memory_total[1d]))", steps=ANY, decimals=0),
        number("Programs killed, a day", "By the kernel, for lack of memory.", "none",
               "sum(increase(@memory_oom_kills_total[1d]))", steps=ANY, decimals=0),
    ]  # fmt: skip


def _held() -> list[Builder[Panel]]:
    return [
        lines("Left", "Falls by 17 to 19 GiB within seconds after a big model has loaded: keep that much.", "bytes",
              Query("@memory_available_bytes"), limit=MEMORY),
        lines("Held", "Used, and parts of it. Page cache is given back when asked for; shared and locked are not.",
              "bytes", Query(USED, "{{instance}} used"),
              Query("@memory_page_cache_bytes", "{{instance}} page cache"),
              Query("@memory_shared_bytes", "{{instance}} shared"),
              Query("@memory_locked_bytes", "{{instance}} locked"),
              Query("@memory_unevictable_bytes", "{{instance}} cannot be moved out")),
        lines("By program on the GPU", "As the driver counts it, by unit and program.", "bytes",
              Query("@gpu_process_memory_bytes", "{{instance}} {{unit}} {{process}}"), stacked=True),
        lines("Used, but not on the GPU's books", "Used memory less what the driver counts: the CPU's side of "
              "models, and everything else.", "bytes",
              Query(f"sum by (instance) ({USED}) - sum by (instance) (@gpu_process_memory_bytes)")),
        lines("Swap in use", "Swap on a Spark under load is trouble on its way.", "bytes",
              Query("@memory_swap_total_bytes - @memory_swap_free_bytes")),
        lines("Huge pages", "Set aside, and free of those. Where there are any, models get these alone.", "bytes",
              Query("@memory_huge_pages_total_bytes", "{{instance}} set aside"),
              Query("@memory_huge_pages_free_bytes", "{{instance}} free")),
    ]  # fmt: skip


def _signs() -> list[Builder[Panel]]:
    blocks = "sum by (instance, size_bytes) (@memory_free_blocks)"
    return [
        lines("Waiting for memory", "Share of time in which some program, or all of them, waited for memory.",
              "percentunit", Query(SOME, "{{instance}} some"), Query(ALL, "{{instance}} all"), highest=1),
        lines("Large free blocks", "How many large pieces are left. None although memory is free: it is fragmented, "
              "and only a reboot helps for long.", "none", Query(blocks, "{{instance}} of {{size_bytes}} bytes")),
        lines("Compaction", "Attempts to make large pieces, a second; failures are the bad sign.", "none",
              Query("rate(@memory_compaction_stalls_total[$__rate_interval])", "{{instance}} stalls"),
              Query("rate(@memory_compaction_failures_total[$__rate_interval])", "{{instance}} failures"),
              Query("rate(@memory_compaction_successes_total[$__rate_interval])", "{{instance}} successes")),
        lines("Swapping", "Bytes a second from and to the disk.", "Bps",
              Query("rate(@memory_swap_in_bytes_total[$__rate_interval])", "{{instance}} in"),
              Query("rate(@memory_swap_out_bytes_total[$__rate_interval])", "{{instance}} out")),
    ]  # fmt: skip
