"""NVMe drives → wear and faults. The health comes from the root oneshot; without it only the identity is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from exporters.gb10.collectors import PREFIX, complain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.storage import Drive

LABELS = ["device"]
# Field of readings.Drive, and the metric's name without _total; documentation.
GAUGES = {
    "percentage_used_ratio": "Share of the drive's rated life that is used up; may pass 1.",
    "available_spare_ratio": "Share of the spare blocks that is left.",
    "critical_warning": "The drive's own warnings as bits (NVMe specification, SMART log, byte 0); 0 is well.",
    "temperature_celsius": "Temperature of the drive (composite).",
}
COUNTERS = {
    "unsafe_shutdowns": "Times the drive lost power without being told before.",
    "media_errors": "Times the drive found data it could not correct.",
}


def families(drives: Iterable[Drive], error: str | None) -> Iterator[Metric]:
    """`error`: why the oneshot could not read the drives' health, or None."""
    drives = list(drives)
    info = InfoMetricFamily(f"{PREFIX}_nvme", "Which drive this is.", labels=LABELS)
    for drive in drives:
        if drive.model:
            info.add_metric([drive.device], {"model": drive.model, "firmware": drive.firmware})
    if info.samples:
        yield info
    for kind, table in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
        for name, documentation in table.items():
            family = kind(f"{PREFIX}_nvme_{name}", documentation, labels=LABELS)
            for drive in drives:
                value = getattr(drive, name)
                if value is not None:
                    family.add_metric([drive.device], value)
            if family.samples:
                yield family
    complain([error])
