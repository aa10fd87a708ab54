"""The exporter process on the simulated GB10, each scenario compared byte for byte with tests/golden/gb10."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import gb10

if TYPE_CHECKING:
    from conftest import Machine

GOLDEN = Path(__file__).resolve().parents[2] / "golden/gb10"

# What differs from run to run: the exporter's own process, times, counts of samples.
RESTLESS = re.compile(r"^(# (HELP|TYPE) )?(process_|sparkfleet_gb10_(nvml_sample|nvml_samples|collector_duration))")


@pytest.mark.parametrize("name", gb10.names())
def test_a_scenario_gives_its_golden_exposition(name: str, machine: Machine, request: pytest.FixtureRequest) -> None:
    """Every series, label, value and help text is the one in the golden file; `--update-golden` writes it anew."""
    machine.load(name)
    text = machine.exporter().until_scraped("sparkfleet_gb10_nvml_up 1.0")
    lines = [line for line in text.splitlines(keepends=True) if not RESTLESS.match(line)]
    golden = GOLDEN / f"{name}.metrics"
    if request.config.getoption("--update-golden"):
        golden.write_text("# label: simulated\n" + "".join(lines))
    assert "# label: simulated\n" + "".join(lines) == golden.read_text()


@pytest.mark.parametrize("name", gb10.names())
def test_nothing_that_a_gb10_lacks_is_told(name: str) -> None:
    """No golden file has a NaN, an own memory of the GPU, a memory clock, a fan or a power limit."""
    text = (GOLDEN / f"{name}.metrics").read_text()
    assert not re.search(r"NaN|gpu_memory|memory_clock|fan|limit_watts", text)
