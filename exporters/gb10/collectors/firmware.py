"""Firmware components as fwupd knows them → their versions, and whether an update waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from exporters.gb10.collectors import PREFIX, complain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.firmware import Component


def families(components: Iterable[Component], error: str | None) -> Iterator[Metric]:
    """`error`: why the oneshot could not ask fwupd, or None."""
    info = InfoMetricFamily(f"{PREFIX}_firmware", "Version of a firmware component.", labels=["component"])
    update = GaugeMetricFamily(
        f"{PREFIX}_firmware_update_available", "1 when fwupd knows a newer version.", labels=["component"]
    )
    for component in components:
        info.add_metric([component.name], {"version": component.version})
        if component.update_available is not None:
            update.add_metric([component.name], float(component.update_available))
    yield from (family for family in (info, update) if family.samples)
    complain([error])
