"""Kernel and driver are what somebody has run before, apt keeps to that, and the GPU is set as described."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.host import known_issues

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

TOLERANCE = 1.02  # as the alert Gb10ClockCapLost has it


@pytest.mark.control(id="GPU-04", severity="high", source="GB10")
def test_no_known_issue_of_kernel_and_driver(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Of the kernel and the driver that run no issue is known that makes the host unfit.

    Their versions, the kernel's command line, the driver's flavour and the release, against the matrix with sources
    (`sparkfleet/host/known_issues.toml`). What is only to be looked at is told, and does not fail.
    """
    issues = judged(machine)
    bad = [told(issue) for issue in issues if issue.verdict == "bad"]
    warnings = [f"warning: {told(issue)}" for issue in issues if issue.verdict == "warn"]
    assert not bad, "\n".join(bad + warnings)
    record_property("evidence", "\n".join([known_issues.combination(machine.combination), *warnings]))


@pytest.mark.control(id="GPU-05", severity="medium", source="GB10")
def test_kernel_and_driver_are_known_to_run(machine: Machine) -> None:
    """Somebody has run this kernel with this driver on a GB10, and the host tells enough to say so.

    The same matrix; what it does not name counts as unknown.
    """
    unknown = [told(issue) for issue in judged(machine) if issue.verdict == "unknown"]
    assert not unknown, "\n".join(unknown)


@pytest.mark.control(id="GPU-06", severity="high", source="GB10")
def test_apt_takes_no_kernel_or_driver_that_is_not_known(
    machine: Machine, record_property: Callable[[str, Any], None]
) -> None:
    """No upgrade, whoever starts it, brings a kernel or driver that is not known to run.

    apt's candidates for the kernel and driver packages that it knows, against the holds that are described.
    """
    moves = {package: move for package, move in machine.candidates.items() if move[1] not in ("(none)", move[0])}
    wrong = [
        f"{package} would go from {installed} to {candidate}"
        for package, (installed, candidate) in sorted(moves.items())
        if not let_through(machine.wanted["gpu"]["pins"], package, candidate)
    ]
    assert not wrong, "; ".join(wrong)
    record_property("evidence", f"{len(machine.candidates)} packages, {len(moves)} could be upgraded")


@pytest.mark.control(id="GPU-07", severity="medium", source="GB10")
def test_persistence_mode_is_on(machine: Machine) -> None:
    """The driver stays loaded while nobody uses the GPU.

    What nvidia-smi says of each GPU.
    """
    if not machine.gpus:
        pytest.skip("nvidia-smi names no GPU")
    without = [index for index, _, mode in machine.gpus if mode == "Disabled"]
    assert not without, (
        f"persistence mode is off: GPU {', '.join(without)}\n{machine.journal('sparkfleet-gpu.service')}"
    )


@pytest.mark.control(id="GPU-08", severity="medium", source="sparkfleet")
def test_clock_cap_is_the_described_one(machine: Machine) -> None:
    """The clock cap that was set is the described one, or none where none is, and no GPU runs above it.

    What the unit noted when it set it, and the SM clock of each GPU (no driver tells which clocks are locked).
    """
    cap, found = machine.wanted["gpu"]["clock_cap_mhz"], machine.cap_mhz
    words = [f"{value:.0f} MHz" if value else "none" for value in (cap, found)]
    assert cap == found, f"described is {words[0]}, set is {words[1]}\n{machine.journal('sparkfleet-gpu.service')}"
    above = [f"GPU {index} at {clock} MHz" for index, clock, _ in machine.gpus if cap and is_above(clock, cap)]
    assert not above, f"above the cap of {words[0]}: {', '.join(above)}"


@pytest.mark.control(id="GPU-09", severity="medium", source="GB10")
def test_toolkits_are_not_above_the_drivers_cuda(machine: Machine) -> None:
    """The described CUDA toolkit is there, and none that lies there is above the CUDA that the driver runs.

    The folders /usr/local/cuda-*, against the highest CUDA of the described driver branch.
    """
    wanted, highest = machine.wanted["gpu"]["cuda_toolkit"], machine.wanted["gpu"]["cuda"]
    if highest is None:
        pytest.skip(f"which CUDA driver branch {machine.wanted['driver_branch']} runs is not known")
    above = [toolkit for toolkit in machine.toolkits if numbers(toolkit) > numbers(highest)]
    assert not above, f"toolkit {', '.join(above)} is above the driver's CUDA {highest}: its PTX does not run"
    assert wanted is None or wanted in machine.toolkits, f"toolkit {wanted} is not in /usr/local/cuda-{wanted}"


def judged(machine: Machine) -> list[known_issues.Issue]:
    """The issues of the running combination; skips on a machine that the matrix does not know."""
    gpu = machine.combination.get("gpu", known_issues.GB10)
    if gpu != known_issues.GB10:
        pytest.skip(f"the matrix knows the GB10 alone, this machine has {gpu}")
    return known_issues.judge(machine.combination)


def told(issue: known_issues.Issue) -> str:
    """One line: what, what next, and who says so."""
    return f"{issue.id}: {issue.what}; next: {issue.next_step} ({issue.source}{issue.date and ', '}{issue.date})"


def let_through(pins: list[list[Any]], package: str, version: str) -> bool:
    """Whether the holds let a version through, as apt reads them: the first record that matches counts."""
    for packages, pattern, priority in pins:
        if any(fnmatchcase(package, name) for name in packages.split()) and fnmatchcase(version, pattern):
            return bool(priority > 0)
    return True


def is_above(clock: str, cap: int) -> bool:
    """Whether an SM clock in MHz, as nvidia-smi prints it, is above a cap; "[N/A]" is not."""
    return clock.isdecimal() and int(clock) > cap * TOLERANCE


def numbers(version: str) -> list[int]:
    """13.0 as it compares."""
    return [int(number) for number in version.split(".")]
