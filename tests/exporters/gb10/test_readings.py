"""Texts of the machine → readings: the numbers, and the silence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gb10.readings import memory, nvml, thermal


def line(values: dict[str, Any], errors: dict[str, int] | None = None) -> str:
    """A sampler's line about one GPU."""
    return json.dumps({"driver": "580.1", "gpus": [{"index": 0, "values": values, "errors": errors or {}}]})


def gpu(values: dict[str, Any], errors: dict[str, int] | None = None) -> nvml.Gpu:
    """The reading of such a line."""
    sample = nvml.sample(line(values, errors))
    assert isinstance(sample, nvml.Sample)
    return sample.gpus[0]


def test_units_become_base_units() -> None:
    """Milliwatts, millijoules, megahertz, percent and nanoseconds become watts, joules, hertz, a ratio and seconds."""
    found = gpu(
        {
            "power_milliwatts": 81100,
            "energy_millijoules": 1500,
            "sm_clock_megahertz": 2489,
            "utilization_percent": 96,
            "event_counters": {"sw_power_cap": 10_800_240_649_000},
        }
    )
    assert (found.power_watts, found.energy_joules, found.sm_clock_hertz) == (81.1, 1.5, 2_489_000_000)
    assert found.utilization_ratio == 0.96
    assert found.event_reason_seconds == {"sw_power_cap": 10800.240649}


def test_what_is_not_said_is_none() -> None:
    """A reading without a value is None, not 0."""
    found = gpu({"temperature_celsius": 38}, {"memory_bytes": 3, "power_milliwatts": 3})
    assert found.up
    assert (found.power_watts, found.memory_total_bytes, found.performance_state) == (None, None, None)


def seldom(age_s: float, values: dict[str, Any], errors: dict[str, int] | None = None, *, code: int = 3) -> nvml.Gpu:
    """A GPU that has a temperature, refuses its power with `code`, and read the rest so long ago."""
    told = {"age_s": age_s, "values": values, "errors": errors or {}}
    item = {"index": 0, "values": {"temperature_celsius": 38}, "errors": {"power_milliwatts": code}, "seldom": told}
    found = nvml.sample(json.dumps({"driver": "580.1", "gpus": [item]}))
    assert isinstance(found, nvml.Sample)
    return found.gpus[0]


def test_what_is_read_seldom_is_told_while_it_is_young() -> None:
    """Up to 15 s before the sample it is told, beyond that it is not; the GPU is up all the same."""
    for age_s, expected in ((0, 1.5), (15, 1.5), (15.1, None)):
        found = seldom(age_s, {"energy_millijoules": 1500})
        assert (found.up, found.energy_joules) == (True, expected)


def test_a_gpu_in_trouble_tells_nothing_that_was_read_before() -> None:
    """When a reading of now finds the GPU lost, an older one is no longer true; found seldom, the loss counts too."""
    lost = seldom(3, {"energy_millijoules": 1500}, code=15)
    assert (lost.up, lost.energy_joules) == (False, None)
    assert not seldom(3, {}, {"energy_millijoules": 15}).up


@pytest.mark.parametrize("name", ["application_clock_megahertz", "sm_clock_max_megahertz"])
def test_a_highest_clock_of_zero_is_none(name: str) -> None:
    """No GPU aims for 0 Hz."""
    found = gpu({name: 0})
    assert (found.application_clock_hertz, found.sm_clock_max_hertz) == (None, None)


@pytest.mark.parametrize("values", [{"memory_bytes": {"total": 0, "used": 0}}, {"performance_state": 32}])
def test_false_answers_are_none(values: dict[str, Any]) -> None:
    """A memory of 0 bytes and the P-state `unknown` are no readings."""
    found = gpu(values)
    assert (found.memory_total_bytes, found.memory_used_bytes, found.performance_state) == (None, None, None)


@pytest.mark.parametrize(
    ("code", "up"), [(3, True), (4, True), (13, True), (25, True), (2, True), (15, False), (16, False)]
)
def test_only_codes_of_trouble_take_a_gpu_down(code: int, *, up: bool) -> None:
    """A refused reading leaves the GPU up, a lost GPU does not."""
    assert gpu({"temperature_celsius": 38}, {"power_milliwatts": code}).up is up


def test_a_gpu_that_says_nothing_is_down() -> None:
    """Errors alone are no sign of life, whatever their code."""
    assert not gpu({}, {"handle": 999}).up


def test_no_gpu_is_not_up() -> None:
    """A driver without a GPU does not count as NVML answering."""
    sample = nvml.sample('{"driver": "1", "gpus": []}')
    assert isinstance(sample, nvml.Sample)
    assert not sample.up


def test_a_failure_is_told_in_its_words() -> None:
    """The sampler's last words come through."""
    assert nvml.sample('{"failure": "Driver Not Loaded"}') == nvml.Failure("Driver Not Loaded")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    )
)
def test_any_other_json_is_refused_and_nothing_worse(data: object) -> None:
    """A line that is not a sample gives ValueError, never another exception."""
    try:
        nvml.sample(json.dumps(data))
    except ValueError:
        return
    assert isinstance(data, dict)
    assert "failure" in data


meminfo_names = st.from_regex(r"[A-Z][A-Za-z_()0-9]{0,20}", fullmatch=True)


@given(st.dictionaries(meminfo_names, st.tuples(st.integers(0, 2**45), st.booleans()), max_size=30))
def test_meminfo_is_read_whatever_its_lines(lines: dict[str, tuple[int, bool]]) -> None:
    """Each line comes back, kB as bytes and counts as they are, in the kernel's spacing."""
    text = "".join(f"{name + ':':<16}{number:>8}{' kB' if unit else ''}\n" for name, (number, unit) in lines.items())
    assert memory.meminfo(text) == {name: number * (1024 if unit else 1) for name, (number, unit) in lines.items()}


@given(st.text(max_size=300))
def test_meminfo_never_fails(text: str) -> None:
    """Lines in another form are left out."""
    assert all(value >= 0 for value in memory.meminfo(text).values())


def test_allocatable_is_available_plus_free_swap() -> None:
    """NVIDIA's rule without huge pages."""
    assert memory.allocatable_bytes({"MemAvailable": 100, "SwapFree": 20, "HugePages_Total": 0}) == 120


def test_huge_pages_replace_the_rest() -> None:
    """With huge pages set aside only the free ones can be allocated, and swap counts nothing."""
    pages = {"MemAvailable": 100, "SwapFree": 20, "HugePages_Total": 8, "HugePages_Free": 3, "Hugepagesize": 2048}
    assert memory.allocatable_bytes(pages) == 6144


def test_allocatable_is_unknown_without_its_terms() -> None:
    """A kernel that does not say gives None."""
    assert memory.allocatable_bytes({"SwapFree": 20}) is None
    assert memory.allocatable_bytes({"MemAvailable": 100, "HugePages_Total": 8}) is None


def test_a_zone_has_its_acpi_name_and_trips() -> None:
    """The name is the last part of the ACPI path; trip points carry number, action and °C."""
    files = {"type": "acpitz\n", "temp": "48250\n", "acpi_path": "\\_SB_.TSOC\n"}
    files |= {"trip_point_0_temp": "104850\n", "trip_point_0_type": "critical\n", "trip_point_10_temp": "95000\n"}
    trips = (thermal.Trip(0, "critical", 104.85), thermal.Trip(10, "", 95.0))
    assert thermal.zone(0, files) == thermal.Zone(0, "acpitz", "TSOC", 48.25, trips)


@pytest.mark.parametrize("text", ["", "asleep", "-274000"])
def test_a_silent_sensor_has_no_temperature(text: str) -> None:
    """No number, and the kernel's mark for none, are None."""
    assert thermal.celsius(text) is None
