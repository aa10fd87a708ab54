"""This boot, and how the last one ended → metrics that show a machine that went off or froze without a shutdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from exporters.gb10.collectors import PREFIX, complain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.boot import Boot


def families(boot: Boot, error: str | None) -> Iterator[Metric]:
    """`error`: why the oneshot knows nothing of earlier boots, or None."""
    if boot.boot_id:
        yield InfoMetricFamily(f"{PREFIX}_boot", "Which boot this is.", {"boot_id": boot.boot_id})
    if boot.started_at is not None:
        yield GaugeMetricFamily(f"{PREFIX}_boot_timestamp_seconds", "When the machine was started.", boot.started_at)
    if boot.unclean is not None:
        yield CounterMetricFamily(
            f"{PREFIX}_boot_unclean", "Boots that followed a power cut, a freeze or a crash.", boot.unclean
        )
    if boot.previous_clean is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_boot_previous_clean",
            "1 when the boot before this one ended with a shutdown, 0 when it did not.",
            float(boot.previous_clean),
        )
    if boot.last_unclean_at is not None:
        yield GaugeMetricFamily(
            f"{PREFIX}_boot_last_unclean_timestamp_seconds",
            "When the last boot started that followed no shutdown.",
            boot.last_unclean_at,
        )
    complain([*boot.faults, error])
