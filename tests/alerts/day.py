"""What the real exporter says of simulated, healthy Sparks → a day of it, as the input of a promtool test. Simulated.

reading = read(scenario, folder, library)       one scenario's series, and how fast each of its counters grows
series(DAY, {"idle": reading, …}, labels)       the day minute by minute: input_series of promtool
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from lab.gb10.player import Player
from tests.exporters.gb10.conftest import Machine
from tests.exporters.gb10.watched import SOONER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Scenario, and for how many minutes: night, a model loaded at eight, work in two halves, an evening with nobody asking.
DAY = [("idle", 480), ("model-resident", 60), ("inference", 180), ("model-resident", 60), ("inference", 300),
       ("model-resident", 120), ("idle", 240)]  # fmt: skip
LATER_S = 600.0
# A community driver that only the busier scenarios have; on one machine it does not come and go.
OPTIONAL = "sparkfleet_gb10_power_"
KNOWN_AFTER = "sparkfleet_gb10_gpu_low_power_state"  # the last to come: it needs some seconds of samples

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Reading:
    """One scenario. Times are seconds before the scrape (negative) where `clock` does not name the series."""

    values: dict[Key, float]
    per_minute: dict[Key, float]  # of counters
    clock: frozenset[Key]  # series that tell the time of the scrape itself


def read(scenario: str, folder: Path, library: Path) -> Reading:
    """Ask an exporter on this scenario twice, ten simulated minutes apart."""
    machine = Machine(folder, library, program=[sys.executable, "-c", SOONER])
    try:
        machine.load(scenario)
        _shift(folder, LATER_S)
        _ask_root(machine)
        exporter = machine.exporter()
        text = exporter.until(lambda: found if KNOWN_AFTER in (found := exporter.scrape()) else None)
        before, clock, _ = _parsed(text)
        seen = time.time()
        _shift(folder, 2 * LATER_S)
        energy = next(key for key in before if key[0].endswith("gpu_energy_joules_total"))
        wanted = before[energy] + 1000  # ten minutes of the least power, 3 W, are 1800 J
        later = exporter.until(lambda: found if (found := _parsed(exporter.scrape()))[0][energy] > wanted else None)
    finally:
        machine.stop()
    after, _, counters = later
    minutes = LATER_S / 60
    growth = {key: max(0.0, after[key] - before[key]) / minutes for key in before if key in counters and key in after}
    timestamps = {key for key in before if key[0].endswith("timestamp_seconds")}
    values = {key: value - seen if key in timestamps else value for key, value in before.items()}
    recent = {key for key in timestamps if values[key] > -60}
    return Reading(values, growth, frozenset(recent | clock))


def series(day: Iterable[tuple[str, int]], readings: Mapping[str, Reading], labels: str) -> list[dict[str, str]]:
    """Every series of every reading through the day, with `labels` (text) added; absent where its scenario lacks it."""
    told = {key for reading in readings.values() for key in reading.values}
    keys = sorted(key for key in told if not key[0].startswith(OPTIONAL) and ("collector", "power") not in key[1])
    return [{"series": _selector(key, labels), "values": " ".join(_through(day, readings, key))} for key in keys]


def _through(day: Iterable[tuple[str, int]], readings: Mapping[str, Reading], key: Key) -> Iterable[str]:
    minute, counted = 0, 0.0
    for name, minutes in day:
        reading = readings[name]
        if key not in reading.values:
            yield f"stale _x{minutes - 1}"
        elif key in reading.clock:
            yield f"{minute * 60}+60x{minutes - 1}"
        elif key in reading.per_minute:
            start, growth = counted or reading.values[key], reading.per_minute[key]
            counted = start + growth * minutes
            yield f"{start!r}+{growth!r}x{minutes - 1}"
        else:
            yield f"{reading.values[key]!r}x{minutes - 1}"
        minute += minutes


def _selector(key: Key, labels: str) -> str:
    own = [f'{name}="{value}"' for name, value in key[1]]
    return f"{key[0]}{{{', '.join([labels, *own])}}}"


def _parsed(text: str) -> tuple[dict[Key, float], frozenset[Key], frozenset[Key]]:
    """Values, series that tell the time of the scrape, and counters."""
    values: dict[Key, float] = {}
    counters: set[Key] = set()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            values[key] = sample.value
            if family.type == "counter":
                counters.add(key)
    return values, frozenset(key for key in values if key[0].endswith("clock_seconds")), frozenset(counters)


def _shift(folder: Path, into_s: float) -> None:
    """Let the scenario have begun so many seconds ago."""
    begun = time.time() - into_s
    os.utime(folder / "scenario", (begun, begun))
    Player(folder).step()


def _ask_root(machine: Machine) -> None:
    """The root oneshot's word, by the simulated tools that lie beside the library."""
    (machine.folder / "state").mkdir()
    environment = machine.environment | {"GB10_FOLDER": str(machine.folder)}
    environment["PATH"] = f"{machine.library}:{environment['PATH']}"
    machine.privileged(environment, "--boot=begin")
    machine.privileged(environment, f"--out={machine.folder / 'privileged.json'}")
