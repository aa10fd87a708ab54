"""NVIDIA's messages in the kernel log, and the age of the root oneshot's file → metrics.

Alerts compare the times: a counter that is first seen at 1 has no increase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from exporters.gb10.collectors import PREFIX, complain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.handover import Handover
    from exporters.gb10.readings.kernel_log import KernelLog


def families(handover: Handover, log: KernelLog) -> Iterator[Metric]:
    """Nothing without the oneshot's file; of one that is too old, its age alone."""
    if handover.age_s is not None and handover.written_at is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_privileged_age_seconds",
            "Age of what the root oneshot read; beyond 300 nothing of it is told.",
            handover.age_s,
        )
        yield GaugeMetricFamily(
            f"{PREFIX}_privileged_last_success_timestamp_seconds",
            "When the root oneshot last ran.",
            handover.written_at,
        )
    xid = CounterMetricFamily(
        f"{PREFIX}_kernel_log_xid", "XID errors that the driver has logged, by number.", labels=["xid"]
    )
    last = GaugeMetricFamily(
        f"{PREFIX}_kernel_log_xid_last_timestamp_seconds", "When this XID was last logged.", labels=["xid"]
    )
    for code, seen in log.xid.items():
        xid.add_metric([code], seen.count)
        if seen.last_at is not None:
            last.add_metric([code], seen.last_at)
    yield from (family for family in (xid, last) if family.samples)
    if log.out_of_memory is not None:
        yield CounterMetricFamily(
            f"{PREFIX}_kernel_log_out_of_memory",
            "Times the driver has logged that it got no memory (NV_ERR_NO_MEMORY).",
            log.out_of_memory.count,
        )
        if log.out_of_memory.last_at is not None:
            yield GaugeMetricFamily(
                f"{PREFIX}_kernel_log_out_of_memory_last_timestamp_seconds",
                "When it last did.",
                log.out_of_memory.last_at,
            )
    if log.lost_records is not None:
        yield CounterMetricFamily(
            f"{PREFIX}_kernel_log_lost_records",
            "Kernel messages that were overwritten before they were read.",
            log.lost_records,
        )
    complain([handover.error("kernel_log"), handover.error("state")])
