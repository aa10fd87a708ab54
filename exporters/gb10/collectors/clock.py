"""The host's own time → metrics that show a clock that is off: Prometheus compares with its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric


def families(seconds: float, *, synchronized: bool | None) -> Iterator[Metric]:
    """`synchronized` None: systemd-timesyncd does not run here (chrony leaves no sign that one may read)."""
    yield GaugeMetricFamily(f"{PREFIX}_clock_seconds", "The host's time at this scrape, since 1970.", seconds)
    if synchronized is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_clock_synchronized", "1 when a time server has set the clock since boot.", float(synchronized)
        )
