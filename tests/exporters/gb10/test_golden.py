"""The exporter process on the simulated GB10, each scenario compared byte for byte with tests/golden/gb10."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import gb10

if TYPE_CHECKING:
    from tests.exporters.gb10.conftest import Machine

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
CAPTURES = sorted((Path(__file__).resolve().parents[2] / "captures").glob("*.capture"))
AGE_S = 70.0  # every fault has begun, and no call blocks for good

# What differs from run to run: how long things took and when, the exporter's own process; and the size of the disk of
# the machine that runs the test.
RESTLESS = re.compile(
    r"(# (HELP|TYPE) )?(process_|sparkfleet_gb10_("
    r"nvml_sample|nvml_samples|nvml_last_sample|collector_duration|collector_last_success|clock_seconds|filesystem_"
    r"|privileged_|kernel_log_\w*last_timestamp))"
)


def compare(text: str, golden: Path, label: str, request: pytest.FixtureRequest) -> None:
    """The exposition less what is restless equals the file; `--update-golden` writes it anew."""
    lines = [line for line in text.splitlines(keepends=True) if not RESTLESS.match(line)]
    found = f"# label: {label}\n{''.join(lines)}"
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("name", gb10.names())
def test_a_scenario_gives_its_golden_exposition(name: str, machine: Machine, request: pytest.FixtureRequest) -> None:
    """Every series, label, value and help text is the one in the golden file."""
    compare(machine.replay(gb10.scenario(name), AGE_S), GOLDEN / f"gb10/{name}.metrics", "simulated", request)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_gives_its_golden_exposition(path: Path, machine: Machine, request: pytest.FixtureRequest) -> None:
    """What a real machine said, replayed by the simulator, comes out of the exporter as the golden file has it."""
    label = "measured, replayed by the simulator"
    compare(machine.replay(path.read_text(), 0), GOLDEN / f"captures/{path.stem}.metrics", label, request)


@pytest.mark.parametrize("name", gb10.names())
def test_nothing_that_a_gb10_lacks_is_told(name: str) -> None:
    """No golden file has a NaN, an own memory of the GPU, a memory clock, a fan or a power limit of the GPU."""
    text = (GOLDEN / f"gb10/{name}.metrics").read_text()
    assert not re.search(r"NaN|gpu_memory|memory_clock|fan|gpu_\w*limit_watts", text)
