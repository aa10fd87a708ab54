"""Metric families → one flight record (compact JSON), and back. Pure. What is not known is left out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporters.gb10.collectors import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client import Metric

COLLECTORS = ("nvml", "gpu", "memory", "thermal", "machine")  # whose families a record needs

# Key in the record → the metric it is of. For each GPU:
GPU = {
    "celsius": "gpu_temperature_celsius",
    "watts": "gpu_power_watts",
    "hertz": "gpu_sm_clock_hertz",
    "ratio": "gpu_utilization_ratio",
    "state": "gpu_performance_state",
}
# For the machine; of several series (the thermal zones) the highest:
MACHINE = {
    "hottest_celsius": "thermal_zone_celsius",
    "available_bytes": "memory_available_bytes",
    "stuck_seconds": "nvml_stuck_seconds",
}
PRESSURE = "memory_pressure_seconds_total"
SIMULATED = {"chassis_asset_tag": "simulated"}
STOP = "stop"


@dataclass(frozen=True, slots=True)
class Record:
    """The machine at one moment."""

    time: float  # seconds since 1970
    boot: str  # the first digits of the boot's id
    event: str = ""  # `stop`: the exporter was told to end
    values: Mapping[str, float] = field(default_factory=dict)  # keys of MACHINE, and `full_seconds`
    gpus: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # index → keys of GPU
    simulated: bool = False  # the machine is a stand-in of the lab: its asset tag says so


def record(families: Iterable[Metric], time: float, boot: str) -> Record:
    """What these families say, as far as a record holds it."""
    series: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in families:
        for sample in family.samples:
            series.setdefault(sample.name.removeprefix(f"{PREFIX}_"), []).append((sample.labels, sample.value))
    values = {key: max(value for _, value in series[name]) for key, name in MACHINE.items() if name in series}
    for labels, value in series.get(PRESSURE, ()):
        if labels.get("kind") == "full":
            values["full_seconds"] = value
    gpus: dict[str, dict[str, float]] = {}
    for key, name in GPU.items():
        for labels, value in series.get(name, ()):
            gpus.setdefault(labels["gpu"], {})[key] = value
    simulated = any(SIMULATED.items() <= labels.items() for labels, _ in series.get("machine_info", ()))
    return Record(round(time, 3), boot, "", values, gpus, simulated)


def payload(record: Record, most_bytes: int) -> bytes:
    """The record as JSON; GPUs that do not fit are left out, the last ones first."""
    gpus = dict(record.gpus)
    while True:
        data: dict[str, Any] = {"time": record.time, "boot": record.boot}
        data |= {"event": record.event} if record.event else {}
        data |= {"simulated": True} if record.simulated else {}
        data |= {"values": rounded(record.values)} if record.values else {}
        data |= {"gpus": {gpu: rounded(values) for gpu, values in gpus.items()}} if gpus else {}
        text = json.dumps(data, separators=(",", ":")).encode()
        if len(text) <= most_bytes or not gpus:
            return text
        gpus.popitem()


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Values without digits that no sensor has."""
    return {key: int(value) if float(value).is_integer() else round(value, 4) for key, value in values.items()}


def parsed(payload: bytes) -> Record:
    """A record's JSON; ValueError when it is none."""
    data = json.loads(payload)
    try:
        values = {str(key): float(value) for key, value in data.get("values", {}).items()}
        gpus = {
            str(gpu): {str(key): float(value) for key, value in found.items()}
            for gpu, found in data.get("gpus", {}).items()
        }
        simulated = bool(data.get("simulated"))
        return Record(float(data["time"]), str(data["boot"]), str(data.get("event", "")), values, gpus, simulated)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a flight record: {payload[:80]!r}") from error
