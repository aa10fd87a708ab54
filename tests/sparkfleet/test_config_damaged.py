"""Descriptions with anything anywhere → a fleet or faults, never a traceback."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.model import Fleet
from tests.sparkfleet.descriptions import sound

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.dates() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a nested description."""
    if isinstance(value, dict):
        return [path, *(p for key, inner in value.items() for p in _places(inner, (*path, key)))]
    if isinstance(value, list):
        return [path, *(p for number, inner in enumerate(value) for p in _places(inner, (*path, number)))]
    return [path]


PLACES = [place for place in _places(sound()) if place]


def damaged(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The sound description with another value at one place."""
    raw = sound()
    inner: Any = raw
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    return raw


def faults_or_none(raw: dict[str, Any]) -> list[str]:
    """The faults of a description that may be sound; anything but a ConfigError goes on to the test."""
    try:
        config.parse(raw)
    except ConfigError as error:
        return error.faults or ["a ConfigError without a fault"]
    return []


def starts_with_its_path(fault: str, raw: dict[str, Any]) -> bool:
    """Whether a message begins at a top-level key that was given, or is known, and says something after it."""
    top = ("(the description)", *Fleet.model_fields, *map(str, raw))
    return fault.startswith(top) and bool(fault.partition(": ")[2])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLACES), anything)
@example(("cloud", "provider"), ["aws"])
@example(("controller", "user"), {})
@example(("hosts", "spark-01", "roles"), [dt.date(2026, 1, 1)])
@example(("base", "sysctls"), {dt.date(2026, 1, 1): "1"})
def test_a_damaged_description_is_a_fleet_or_faults(place: tuple[Any, ...], value: Any) -> None:
    """Whatever stands at any one place: a fleet, or a ConfigError whose messages each begin with a path."""
    raw = damaged(place, value)
    assert all(starts_with_its_path(fault, raw) for fault in faults_or_none(raw))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(Fleet.model_fields)) | st.text(max_size=8), anything))
def test_arbitrary_nested_data_is_never_a_traceback(raw: dict[str, Any]) -> None:
    """A mapping of anything is a fleet or a ConfigError; nothing else is ever raised."""
    assert all(starts_with_its_path(fault, raw) for fault in faults_or_none(raw))
