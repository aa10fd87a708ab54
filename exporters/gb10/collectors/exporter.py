"""The exporter's own counts → metrics about the exporter: its version, its web server, its flight recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from exporters.gb10 import VERSION
from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.recorder import Counts as RecorderCounts
    from exporters.web.server import Counts as WebCounts


def build_families() -> Iterator[Metric]:
    """Which exporter this is."""
    yield InfoMetricFamily(f"{PREFIX}_build", "The exporter's version.", {"version": VERSION})


def web_families(counts: WebCounts) -> Iterator[Metric]:
    """How the web server fares; the codes are the few that it can answer with."""
    requests = CounterMetricFamily(
        f"{PREFIX}_web_requests", "Requests answered, by status code of HTTP.", labels=["code"]
    )
    for code, number in sorted(counts.requests.items()):
        requests.add_metric([str(code)], number)
    if requests.samples:
        yield requests
    yield CounterMetricFamily(
        f"{PREFIX}_web_refused_connections", "Connections closed for want of room.", counts.refused
    )


def recorder_families(counts: RecorderCounts) -> Iterator[Metric]:
    """How the flight recorder fares."""
    yield CounterMetricFamily(f"{PREFIX}_recorder_records", "Records that are safe on the disk.", counts.written)
    yield CounterMetricFamily(
        f"{PREFIX}_recorder_lost_records",
        "Records that never reached the disk: it was full, broken, read-only or hung for too long.",
        counts.lost,
    )
    if counts.last_write is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_recorder_last_write_timestamp_seconds",
            "When a record last reached the disk, in seconds since 1970.",
            counts.last_write,
        )
