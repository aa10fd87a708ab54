"""The collectors → one scrape: each timed, each with its success; one that fails or hangs never silences the others."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporters.gb10.collectors import PREFIX, gpu, nvml, processes
from exporters.gb10.host_parts import host_parts
from exporters.gb10.parts import Asked, Outcome, Part, Polled
from exporters.gb10.readings.processes import pids
from exporters.gb10.sources.processes import Owners
from exporters.web.exposition import exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client import Metric

    from exporters.gb10.snapshot import Snapshot
    from exporters.gb10.sources.host import Host


def collectors(host: Host, snapshot: Snapshot, privileged: Path, textfiles: Path | None = None) -> dict[str, Part]:
    """Every collector by name, in the order of the output. A new one is a file in collectors/ and a line here.

    What could block (sensors behind ACPI, devices' files, statvfs) has an interval of its own in seconds: it is polled.
    """
    owners = Owners(host.procfs)
    return {
        "nvml": Part(lambda: nvml.families(snapshot.status())),
        "gpu": Part(lambda: gpu.families(snapshot.status()), same=snapshot.moment),
        "processes": Part(
            lambda: processes.families(sample := snapshot.status().sample, owners.texts(pids(sample))),
            same=snapshot.moment,
        ),
        **host_parts(host, privileged, textfiles),
    }


class Registry:
    """What a scrape asks: the parts, then how each of them fared, then the exporter's own metrics."""

    def __init__(self, parts: Mapping[str, Part], kept_s: float = 0) -> None:
        """`kept_s`: how long parts with `same` may give one answer."""
        self._parts = [
            Polled(name, part) if part.every_s else Asked(name, part, kept_s) for name, part in parts.items()
        ]
        self._own: list[Callable[[], Iterable[Metric]]] = []

    @property
    def names(self) -> list[str]:
        """The collectors' names, in the order of the output."""
        return [part.name for part in self._parts]

    def add_own(self, families: Callable[[], Iterable[Metric]]) -> None:
        """Have these told too, without a success of their own; they must neither block nor fail."""
        self._own.append(families)

    def start(self, wait_s: float = 0) -> None:
        """Begin to poll, and wait so long for the first polls to end; one that hangs is waited for no longer."""
        polled = [part for part in self._parts if isinstance(part, Polled)]
        for part in polled:
            part.start()
        end = time.monotonic() + wait_s
        for part in polled:
            part.polled.wait(max(0.0, end - time.monotonic()))

    def stop(self) -> None:
        """Begin no further poll."""
        for part in self._parts:
            if isinstance(part, Polled):
                part.stop()

    def families(self, names: Iterable[str]) -> list[Metric]:
        """What the collectors of these names say now; nothing of one that fails. May be called from any thread."""
        wanted = set(names)
        return [family for part in self._parts if part.name in wanted for family in part.families()]

    def text(self) -> str:
        """One scrape. For one thread at a time."""
        outcomes = {part.name: part.outcome() for part in self._parts}
        texts = [outcome.text for outcome in outcomes.values()]
        texts.append(exposition(health(outcomes)))
        texts.append(exposition(chain.from_iterable(own() for own in self._own)))
        return "".join(texts)


def health(outcomes: Mapping[str, Outcome]) -> Iterator[Metric]:
    """How each collector fared."""
    labels = ["collector"]
    success = GaugeMetricFamily(
        f"{PREFIX}_collector_success",
        "1 when the collector gave data, 0 when it failed, is overdue or found nothing to tell.",
        labels=labels,
    )
    duration = GaugeMetricFamily(
        f"{PREFIX}_collector_duration_seconds",
        "How long the collector took when it was last asked, or how long it has hung.",
        labels=labels,
    )
    last = GaugeMetricFamily(
        f"{PREFIX}_collector_last_success_timestamp_seconds",
        "When the collector last gave data, in seconds since 1970.",
        labels=labels,
    )
    for name, outcome in outcomes.items():
        success.add_metric([name], float(outcome.success))
        if outcome.duration_s is not None:
            duration.add_metric([name], outcome.duration_s)
        if outcome.last_success is not None:
            last.add_metric([name], outcome.last_success)
    yield from (family for family in (success, duration, last) if family.samples)
