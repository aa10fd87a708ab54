"""ConnectX-7 ports → whether each is up, and whether both twins of each cage are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from exporters.gb10.collectors import PREFIX, complain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from exporters.gb10.readings.connectx import Connectx

LABELS = ["device", "netdev"]
STATES = ("up", "degraded", "down")


def families(connectx: Connectx) -> Iterator[Metric]:
    """Nothing where there is no ConnectX-7, or the hot-plug power saving has taken it away."""
    up = GaugeMetricFamily(f"{PREFIX}_connectx_port_up", "1 while the port has a link.", labels=LABELS)
    speed = GaugeMetricFamily(
        f"{PREFIX}_connectx_port_speed_bytes_per_second", "Speed of the link (200 Gb/s is 2.5e10).", labels=LABELS
    )
    mtu = GaugeMetricFamily(f"{PREFIX}_connectx_port_mtu_bytes", "Largest packet.", labels=LABELS)
    errors = CounterMetricFamily(
        f"{PREFIX}_connectx_aer_errors",
        "PCIe errors that the device has reported since it came up.",
        labels=["device", "severity"],
    )
    for port in connectx.ports:
        values = ((up, port.up), (speed, port.speed_bytes_per_second), (mtu, port.mtu_bytes))
        for family, value in values:
            if value is not None:
                family.add_metric([port.device, port.netdev], float(value))
        for severity, count in port.errors.items():
            errors.add_metric([port.device, severity], count)
    pairs = GaugeMetricFamily(
        f"{PREFIX}_connectx_pair_state",
        "1 for the state that a cage's two PCIe twins are in; degraded: one is up, or they have two speeds. "
        "Without a cable: down, or absent when the card sleeps.",
        labels=["pair", "state"],
    )
    for pair, state in connectx.pairs.items():
        for each in STATES:
            pairs.add_metric([pair, each], float(each == state))
    yield from (family for family in (up, speed, mtu, errors, pairs) if family.samples)
    complain(connectx.faults)
