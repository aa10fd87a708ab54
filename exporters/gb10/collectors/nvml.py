"""How NVML and its sampler are → metrics that tell a silent driver from a silent GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.snapshot import Status


def families(status: Status) -> Iterator[Metric]:
    """Always there, with or without a GPU."""
    up = status.sample is not None and status.sample.up
    yield GaugeMetricFamily(
        f"{PREFIX}_nvml_up", "1 while NVML answers in time for every GPU; 0 also where there is no GPU.", float(up)
    )
    if status.age_s is not None:
        yield GaugeMetricFamily(f"{PREFIX}_nvml_sample_age_seconds", "Age of the last NVML sample.", status.age_s)
    if status.at is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_nvml_last_sample_timestamp_seconds",
            "When the last NVML sample came, in seconds since 1970.",
            status.at,
        )
    yield GaugeMetricFamily(
        f"{PREFIX}_nvml_stuck_seconds",
        "How long an answer of NVML has been overdue, across all samplers that wait for it; 0 while it answers, be it "
        "that there is no GPU.",
        status.stuck_s,
    )
    yield CounterMetricFamily(f"{PREFIX}_nvml_samples", "NVML samples taken.", status.samples)
    yield CounterMetricFamily(
        f"{PREFIX}_nvml_sampler_restarts",
        "Sampler processes given up: silent, broken or ended, but not for want of NVML or a GPU.",
        status.restarts,
    )
    yield GaugeMetricFamily(
        f"{PREFIX}_nvml_stuck_samplers",
        "Sampler processes killed that have not died: they hang in the driver.",
        status.stuck,
    )
