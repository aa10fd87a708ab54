"""Captures of real machines: labelled, masked, and what the exporter says of them plausible, in base units."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

TESTS = Path(__file__).resolve().parents[2]
CAPTURES = sorted((TESTS / "captures").glob("*.capture"))
NAME = re.compile(r"linux-[a-z0-9_]+__[a-z0-9-]+__[0-9.]+__[a-z0-9-]+\.capture")

capture = pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)


def told(path: Path) -> dict[str, list[float]]:
    """What the exporter says of a capture: family → values, from its golden file."""
    text = (TESTS / "golden/captures" / f"{path.stem}.metrics").read_text()
    return {family.name: [s.value for s in family.samples] for family in text_string_to_metric_families(text)}


@capture
def test_a_capture_is_labelled(path: Path) -> None:
    """The name has its four keys; the head says that it was measured, when, and in which state."""
    assert NAME.fullmatch(path.name)
    head = path.read_text().splitlines()[:6]
    assert head[1] == "# label: measured"
    assert re.fullmatch(r"# date: \d{4}-\d\d-\d\d", head[2])
    assert head[3].startswith("# state: ")


@capture
def test_a_capture_keeps_what_is_the_owners_to_itself(path: Path) -> None:
    """No command line of the kernel, and no address of a network."""
    text = path.read_text()
    assert not re.search(r"command line", text, flags=re.IGNORECASE)
    assert not re.search(r"\b(?:10|127|169\.254|172\.\d+|192\.168)\.\d+\.\d+\.\d+\b", text)


@capture
def test_every_value_is_finite(path: Path) -> None:
    """No NaN, no infinity, no negative value, ratios within 0 and 1."""
    for name, values in told(path).items():
        for value in values:
            assert math.isfinite(value), name
            assert 0 <= value <= (1 if name.endswith("_ratio") else math.inf), name


@capture
def test_a_real_gpu_is_plausible(path: Path) -> None:
    """NVML is up; temperature, power and clock lie where a GPU's lie; used memory is within the total."""
    families = told(path)
    assert families["sparkfleet_gb10_nvml_up"] == [1]
    bounds = {"temperature_celsius": (10, 105), "power_watts": (1, 1500), "sm_clock_hertz": (1e8, 4e9)}
    for name, (low, high) in bounds.items():
        assert all(low <= value <= high for value in families[f"sparkfleet_gb10_gpu_{name}"]), name
    total = families.get("sparkfleet_gb10_gpu_memory_total_bytes", [])
    used = families.get("sparkfleet_gb10_gpu_memory_used_bytes", [])
    assert all(have <= most for have, most in zip(used, total, strict=True))
