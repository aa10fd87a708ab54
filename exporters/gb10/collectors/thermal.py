"""Thermal zones → their temperatures and the temperatures at which the kernel acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.thermal import Zone

LABELS = ["zone", "type", "name"]


def families(zones: Iterable[Zone]) -> Iterator[Metric]:
    """A zone whose sensor is silent has trip points only."""
    temperature = GaugeMetricFamily(
        f"{PREFIX}_thermal_zone_celsius",
        "Temperature of a thermal zone; the name is the zone's in ACPI (TSOC is the package, the hot spot of a GB10).",
        labels=LABELS,
    )
    trips = GaugeMetricFamily(
        f"{PREFIX}_thermal_zone_trip_celsius",
        "Temperature at which the kernel acts on a zone; at a critical one it powers the machine off.",
        labels=[*LABELS, "trip", "action"],
    )
    distance = GaugeMetricFamily(
        f"{PREFIX}_thermal_zone_critical_distance_celsius",
        "Degrees left until the kernel powers the machine off (critical trip point).",
        labels=LABELS,
    )
    for zone in zones:
        labels = [str(zone.number), zone.kind, zone.name]
        if zone.celsius is not None:
            temperature.add_metric(labels, zone.celsius)
        if zone.critical_distance_celsius is not None:
            distance.add_metric(labels, zone.critical_distance_celsius)
        for trip in zone.trips:
            trips.add_metric([*labels, str(trip.number), trip.kind], trip.celsius)
    yield from (family for family in (temperature, distance, trips) if family.samples)
