"""A fleet's status, typed: what was asked, what Prometheus answered, what is shown. Pure data.

A value that is not there is None: unsupported, unknown and not finite are all the same to a reader, and none is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sparkfleet.monitoring.prometheus import Alert, Rule, Sample

SIMULATED, MEASURED = "simulated", "measured"  # where values come from
PAGE = "page"  # the severity that gets somebody up


class State(StrEnum):
    """How a host stands; the worse comes first where two hold."""

    UNWATCHED = "not watched"  # the description gives it no exporter
    UNKNOWN = "not scraped"  # Prometheus has nothing of it: just provisioned, or another fleet's Prometheus
    STALE = "stale"  # Prometheus has not scraped for a while: it was stopped or hangs
    HOST_DOWN = "host down"  # neither ICMP nor SSH answers
    WEDGED = "wedged"  # answers ICMP, but shows no SSH banner: out of memory, most often
    EXPORTER_DOWN = "exporter down"  # the host is there, the exporter does not answer
    NO_ANSWER = "no answer"  # the exporter does not answer, and nobody probes the host
    NVML_STUCK = "NVML stuck"  # a call into the driver does not return
    NO_NVML = "no NVML"  # the driver is not loaded, or refuses
    GPU_LOST = "GPU lost"
    UP = "up"


@dataclass(frozen=True)
class Answers:
    """Everything that was asked for one status; times are Unix times by Prometheus' clock."""

    now_s: float
    samples: Sequence[Sample] = ()
    scraped_s: Mapping[str, float] = field(default_factory=dict)  # host → the last scrape, answered or not
    last: Mapping[str, tuple[float, Sequence[Sample]]] = field(default_factory=dict)  # silent host → when, and what
    rules: Sequence[Rule] | None = None  # None: not told

    def aged(self, seconds: float) -> Answers:
        """The same answers, looked at that much later."""
        return replace(self, now_s=self.now_s + seconds)


@dataclass(frozen=True)
class Holder:
    """Who holds most of a GPU's memory."""

    process: str
    unit: str
    memory_bytes: float
    others: int = 0  # how many more hold some


@dataclass(frozen=True)
class Gpu:
    """One GPU at the time of the host's values."""

    gpu: str
    state: str | None = None  # ok, capped, thermal, power_cap, stuck
    name: str | None = None
    driver: str | None = None
    utilization_ratio: float | None = None
    temperature_celsius: float | None = None
    temperature_margin_celsius: float | None = None
    power_watts: float | None = None
    sm_clock_hertz: float | None = None
    holder: Holder | None = None


@dataclass(frozen=True)
class Zone:
    """A thermal zone and how far it is from the temperature at which the machine powers off."""

    name: str
    celsius: float
    critical_celsius: float | None = None

    @property
    def distance_celsius(self) -> float | None:
        """Degrees left."""
        return None if self.critical_celsius is None else round(self.critical_celsius - self.celsius, 2)


@dataclass(frozen=True)
class Host:
    """One host: its state, and its last known values with their age."""

    host: str
    state: State
    age_s: float | None = None  # of the values; None: there are none
    stale: bool = False
    stuck_s: float | None = None  # how long NVML has been blocking
    label: str | None = None  # simulated or measured; None: the machine never said
    machine: str | None = None
    gpus: tuple[Gpu, ...] = ()
    hottest: Zone | None = None
    memory_total_bytes: float | None = None
    memory_used_bytes: float | None = None
    memory_allocatable_bytes: float | None = None
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True)
class Asked:
    """Which hosts of which fleet, and from which age on a value is old."""

    fleet: str
    hosts: Sequence[str]
    watched: frozenset[str]  # those with an exporter
    stale_after_s: float


@dataclass(frozen=True)
class FleetStatus:
    """All of it, in the order of the description."""

    fleet: str
    now_s: float
    hosts: tuple[Host, ...]
    alerts: tuple[Alert, ...] = ()  # those that belong to none of these hosts
    rules: int | None = None  # how many alerting rules Prometheus evaluates; None: not told

    @property
    def needs_somebody(self) -> bool:
        """A page fires, or a watched host is not up."""
        fires = any(a.labels.get("severity") == PAGE for h in self.hosts for a in h.alerts if a.state == "firing")
        fires |= any(a.labels.get("severity") == PAGE for a in self.alerts if a.state == "firing")
        return fires or any(h.state not in {State.UP, State.UNWATCHED} for h in self.hosts)
