"""Filesystems on block devices → their size and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

LABELS = ["mountpoint"]


def families(space: Mapping[str, tuple[int, int]]) -> Iterator[Metric]:
    """Mount point → size and available bytes."""
    size = GaugeMetricFamily(f"{PREFIX}_filesystem_size_bytes", "Size of the filesystem.", labels=LABELS)
    available = GaugeMetricFamily(
        f"{PREFIX}_filesystem_available_bytes", "What programs without privileges can still write.", labels=LABELS
    )
    for point, (total, left) in space.items():
        if total > 0:
            size.add_metric([point], total)
            available.add_metric([point], left)
    yield from (family for family in (size, available) if family.samples)
