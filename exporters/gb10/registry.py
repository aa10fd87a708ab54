"""The collectors → one scrape: each timed, each with its success; one that fails never silences the others."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector as PrometheusCollector

from exporters.gb10.collectors import PREFIX, gpu, machine, memory, nvml, thermal
from exporters.gb10.readings.memory import meminfo
from exporters.gb10.readings.thermal import zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from exporters.gb10.snapshot import Snapshot
    from exporters.gb10.sources.host import Host

log = logging.getLogger(__name__)


def collectors(host: Host, snapshot: Snapshot) -> dict[str, Callable[[], Iterable[Metric]]]:
    """Every collector by name, in the order of the output. A new one is a file in collectors/ and a line here."""
    return {
        "nvml": lambda: nvml.families(snapshot.status()),
        "gpu": lambda: gpu.families(snapshot.status().sample),
        "memory": lambda: memory.families(meminfo(host.meminfo())),
        "thermal": lambda: thermal.families(zone(*item) for item in host.thermal_zones().items()),
        "machine": lambda: machine.families(host.dmi()),
    }


class Registry(PrometheusCollector):
    """What prometheus_client asks at each scrape."""

    def __init__(self, parts: dict[str, Callable[[], Iterable[Metric]]]) -> None:
        self._parts = parts
        self._failing: set[str] = set()

    def collect(self) -> Iterable[Metric]:
        """All families, then how each collector fared."""
        success = GaugeMetricFamily(
            f"{PREFIX}_collector_success",
            "1 when the collector gave data, 0 when it failed or found nothing to tell.",
            labels=["collector"],
        )
        duration = GaugeMetricFamily(
            f"{PREFIX}_collector_duration_seconds", "How long the collector took in this scrape.", labels=["collector"]
        )
        for name, families in self._parts.items():
            started = time.perf_counter()
            found: list[Metric] = []
            try:
                found = list(families())
            except Exception as error:  # noqa: BLE001  whatever it is, the other collectors must be heard
                self._log_once(name, error)
            else:
                self._failing.discard(name)
            duration.add_metric([name], time.perf_counter() - started)
            success.add_metric([name], float(bool(found)))
            yield from found
        yield success
        yield duration

    def _log_once(self, name: str, error: Exception) -> None:
        if name not in self._failing:
            log.warning("collector %s failed: %r", name, error)
            self._failing.add(name)
