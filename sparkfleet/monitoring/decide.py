"""What Prometheus answered → the state of every host and its figures. Pure.

Nothing old is called new: a silent host keeps what it last said, marked stale and with its age.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sparkfleet.monitoring.status import (
    MEASURED,
    PAGE,
    SIMULATED,
    Answers,
    Asked,
    FleetStatus,
    Gpu,
    Holder,
    Host,
    State,
    Zone,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sparkfleet.monitoring.prometheus import Alert, Sample

PREFIX = "sparkfleet_gb10_"
EXPORTER_JOB, ICMP_JOB, SSH_JOB = "gb10", "host_icmp", "host_ssh"
OTHER = "other"  # the exporter's name for the processes that it sums
QUIET = "none"  # the severity of the dead man's switch, which always fires
SEVERITIES = (PAGE, "ticket", "info")
# What a row is made of; nothing else is fetched.
METRICS = (
    "nvml_up", "nvml_stuck_seconds", "nvml_stuck_samplers", "nvml_sample_age_seconds",
    "gpu_up", "gpu_info", "gpu_temperature_celsius", "gpu_temperature_margin_celsius", "gpu_power_watts",
    "gpu_sm_clock_hertz", "gpu_utilization_ratio", "gpu_low_power_state", "gpu_process_memory_bytes",
    "memory_total_bytes", "memory_available_bytes", "memory_allocatable_bytes",
    "thermal_zone_celsius", "thermal_zone_trip_celsius", "machine_info",
)  # fmt: skip


class Reading:
    """The series of one host, by metric; what is not finite is not there."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_name: dict[str, list[Sample]] = {}
        for sample in samples:
            if math.isfinite(sample.value):
                self._by_name.setdefault(sample.name.removeprefix(PREFIX), []).append(sample)

    def all(self, metric: str, **labels: str) -> list[Sample]:
        """Every series of a metric that has these labels."""
        return [s for s in self._by_name.get(metric, ()) if labels.items() <= s.labels.items()]

    def value(self, metric: str, **labels: str) -> float | None:
        """The one value; None where there is none, or several contradict one another."""
        found = {s.value for s in self.all(metric, **labels)}
        return found.pop() if len(found) == 1 else None

    def text(self, metric: str, label: str, **labels: str) -> str | None:
        """A label of an info metric."""
        return next((s.labels[label] for s in self.all(metric, **labels) if s.labels.get(label)), None)

    def gpus(self) -> list[str]:
        """The numbers of the GPUs that anything is known of, in order."""
        seen = {
            s.labels["gpu"] for name in METRICS if name.startswith("gpu_") for s in self.all(name) if "gpu" in s.labels
        }
        return sorted(seen, key=lambda gpu: (not gpu.isdecimal(), int(gpu) if gpu.isdecimal() else 0, gpu))


def status(asked: Asked, answers: Answers) -> FleetStatus:
    """Decide every host."""
    alerts = [a for rule in answers.rules or () for a in rule.alerts if a.labels.get("severity") != QUIET]
    alerts.sort(key=lambda a: (a.state != "firing", _rank(a), a.name))
    hosts = tuple(_host(name, asked, answers, alerts) for name in asked.hosts)
    ours = {id(a) for host in hosts for a in host.alerts}
    elsewhere = asked.watched - set(asked.hosts)  # hosts that were not asked for
    rest = tuple(a for a in alerts if id(a) not in ours and a.labels.get("instance") not in elsewhere)
    return FleetStatus(asked.fleet, answers.now_s, hosts, rest, None if answers.rules is None else len(answers.rules))


def _rank(alert: Alert) -> int:
    severity = alert.labels.get("severity", "")
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _host(name: str, asked: Asked, answers: Answers, alerts: list[Alert]) -> Host:
    of_host = [s for s in answers.samples if s.labels.get("instance") == name]
    samples: Sequence[Sample]
    at_s, samples = answers.scraped_s.get(name), [s for s in of_host if s.labels.get("job") == EXPORTER_JOB]
    up = Reading(samples).value("up")
    if up != 1 and name in answers.last:
        at_s, samples = answers.last[name]
    elif up != 1:
        at_s, samples = None, []
    reading = Reading(samples)
    age_s = None if at_s is None else max(answers.now_s - at_s, 0.0)
    stuck_s = reading.value("nvml_stuck_seconds")
    state = _state(up, of_host, reading, old=age_s is not None and age_s > asked.stale_after_s)
    if name not in asked.watched and up is None:
        state = State.UNWATCHED
    total, available = reading.value("memory_total_bytes"), reading.value("memory_available_bytes")
    return Host(
        name,
        state,
        age_s=age_s,
        stale=up != 1 or age_s is None or age_s > asked.stale_after_s,
        stuck_s=stuck_s if stuck_s and state is State.NVML_STUCK else None,
        label=_label(reading),
        machine=reading.text("machine_info", "product_name"),
        gpus=tuple(_gpu(reading, gpu) for gpu in reading.gpus()),
        hottest=_hottest(reading),
        memory_total_bytes=total,
        memory_used_bytes=None if total is None or available is None else total - available,
        memory_allocatable_bytes=reading.value("memory_allocatable_bytes"),
        alerts=tuple(a for a in alerts if a.labels.get("instance") == name),
    )


def _state(up: float | None, of_host: list[Sample], reading: Reading, *, old: bool) -> State:
    """The worst that holds. A host may be wedged while its exporter still answers."""
    icmp, ssh = (
        Reading(s for s in of_host if s.labels.get("job") == job).value("probe_success") for job in (ICMP_JOB, SSH_JOB)
    )
    if up == 1 and old:
        return State.STALE
    if icmp == 1 and ssh == 0:
        return State.WEDGED
    if up == 1:
        return _driver_state(reading)
    if up is None:
        return State.UNKNOWN
    if ssh == 1 or icmp == 1:
        return State.EXPORTER_DOWN
    return State.HOST_DOWN if icmp == 0 else State.NO_ANSWER


def _driver_state(reading: Reading) -> State:
    """Of a host whose exporter answers."""
    if reading.value("nvml_stuck_seconds") or reading.value("nvml_stuck_samplers"):
        return State.NVML_STUCK
    if reading.value("nvml_up") == 0:
        return State.NO_NVML
    return State.GPU_LOST if any(s.value == 0 for s in reading.all("gpu_up")) else State.UP


def _label(reading: Reading) -> str | None:
    if not reading.all("machine_info"):
        return None
    # The lab writes the asset tag into its stand-ins.
    return SIMULATED if reading.text("machine_info", "chassis_asset_tag") == SIMULATED else MEASURED


def _gpu(reading: Reading, gpu: str) -> Gpu:
    # A state set: exactly one of its series is 1. Two or none say nothing.
    states = [s.labels.get("state") for s in reading.all("gpu_low_power_state", gpu=gpu) if s.value == 1]
    return Gpu(
        gpu,
        state=states[0] if len(states) == 1 else None,
        name=reading.text("gpu_info", "name", gpu=gpu),
        driver=reading.text("gpu_info", "driver", gpu=gpu),
        utilization_ratio=reading.value("gpu_utilization_ratio", gpu=gpu),
        temperature_celsius=reading.value("gpu_temperature_celsius", gpu=gpu),
        temperature_margin_celsius=reading.value("gpu_temperature_margin_celsius", gpu=gpu),
        power_watts=reading.value("gpu_power_watts", gpu=gpu),
        sm_clock_hertz=reading.value("gpu_sm_clock_hertz", gpu=gpu),
        holder=_holder(reading.all("gpu_process_memory_bytes", gpu=gpu)),
    )


def _holder(held: list[Sample]) -> Holder | None:
    """The largest named process; the sum of the small ones is nobody."""
    named = sorted(
        (s for s in held if s.labels.get("process") and s.labels["process"] != OTHER),
        key=lambda s: (-s.value, s.labels["process"], s.labels.get("unit", "")),
    )
    if not named:
        return None
    first = named[0]
    return Holder(first.labels["process"], first.labels.get("unit", ""), first.value, len(held) - 1)


def _hottest(reading: Reading) -> Zone | None:
    zones = reading.all("thermal_zone_celsius")
    if not zones:
        return None
    hot = max(zones, key=lambda s: (s.value, s.labels.get("zone", "")))
    number = hot.labels.get("zone", "")
    trips = [s.value for s in reading.all("thermal_zone_trip_celsius", zone=number, action="critical")]
    return Zone(hot.labels.get("name") or f"zone {number}", hot.value, min(trips, default=None))
