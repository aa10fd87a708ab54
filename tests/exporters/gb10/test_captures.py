"""Captures of real machines: well-formed, labelled, masked, and with nothing that the exporter promises not to say."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

CAPTURES = sorted((Path(__file__).resolve().parents[2] / "captures").glob("*.metrics"))
NAME = re.compile(r"linux-[a-z0-9_]+__[a-z0-9-]+__[0-9.]+__[a-z0-9-]+\.metrics")
UNITS = ("_bytes", "_celsius", "_hertz", "_joules", "_ratio", "_seconds", "_watts")
NO_UNIT = (
    "_up",
    "_info",
    "_success",
    "_performance_state",
    "_samples",
    "_samplers",
    "_restarts",
    "sparkfleet_gb10_gpu",
    "_machine",
)

capture = pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)


@capture
def test_a_capture_is_labelled_and_masked(path: Path) -> None:
    """The name has its four keys, the head its truth label, and no GPU's UUID is given away."""
    text = path.read_text()
    assert NAME.fullmatch(path.name)
    assert text.startswith("# label: measured\n")
    assert set(re.findall(r'uuid="GPU-([^"]*)"', text)) == {"00000000-0000-0000-0000-000000000000"}


@capture
def test_every_value_is_a_number_in_a_base_unit(path: Path) -> None:
    """No NaN, no infinity, no negative value, ratios within 0 and 1, and a unit at the end of every name."""
    for family in text_string_to_metric_families(path.read_text()):
        assert family.name.endswith(UNITS + NO_UNIT), family.name
        for sample in family.samples:
            assert math.isfinite(sample.value), sample
            assert 0 <= sample.value <= (1 if family.name.endswith("_ratio") else math.inf), sample


@capture
def test_a_real_gpu_is_plausible(path: Path) -> None:
    """NVML is up; temperature, power and clock lie where a GPU's lie; used memory is within the total."""
    families = {family.name: family.samples for family in text_string_to_metric_families(path.read_text())}
    assert families["sparkfleet_gb10_nvml_up"][0].value == 1
    bounds = {"temperature_celsius": (10, 105), "power_watts": (1, 1500), "sm_clock_hertz": (1e8, 4e9)}
    for name, (low, high) in bounds.items():
        assert all(low <= sample.value <= high for sample in families[f"sparkfleet_gb10_gpu_{name}"]), name
    total = families.get("sparkfleet_gb10_gpu_memory_total_bytes", [])
    used = families.get("sparkfleet_gb10_gpu_memory_used_bytes", [])
    assert [have.value for have in used] <= [have.value for have in total]
