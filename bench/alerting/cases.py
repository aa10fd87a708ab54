"""The scenarios of the live run: what is healthy before, which fault comes, and what is to be told of it. Data."""

from __future__ import annotations

from dataclasses import dataclass

CAP_MHZ = 2000
ALWAYS = "Watchdog"


@dataclass(frozen=True)
class Case:
    """One simulated Spark. `fault` None: it stays healthy."""

    name: str
    healthy: str = "inference"
    fault: str | None = None  # another scenario
    more: str = ""  # further lines of it
    expected: frozenset[str] = frozenset()
    cleared: frozenset[str] = frozenset()  # which of them end by themselves within the run
    late: frozenset[str] = frozenset()  # what comes after more minutes than a run has; no fault if it does
    exporter: str = "runs"  # after the fault: runs | stopped (answers nothing) | ended
    ping: bool = True  # what the mocked probes say after the fault
    ssh: bool = True
    cap: bool = False  # the exporter was told of a clock cap


def case(name: str, *expected: str, **more: object) -> Case:
    """A fault that is the scenario of its own name."""
    return Case(name, **{"fault": name, "expected": frozenset(expected), **more})  # type: ignore[arg-type]


CASES = [
    Case("healthy-idle", "idle"),
    Case("healthy-resident", "model-resident"),
    Case("healthy-inference"),
    case("clock-cap", healthy="clock-cap", cap=True),
    case("stress", "Gb10Hot", "Gb10ThermalThrottling"),  # 608 s: heat slows it from its first second
    case("thermal-ramp", "Gb10Hot", late=frozenset({"Gb10ThermalThrottling"})),
    case("power-cap", "Gb10PowerCapped"),
    case("stuck-low-power", "Gb10StuckLowPower"),
    case("clock-cap-lost", "Gb10ClockCapLost", healthy="clock-cap", cap=True),
    case("memory-wedge", "Gb10MemoryWedgeRisk", "Gb10NvmlStuck"),
    Case("nvml-blocked-60s", fault="inference", more="* = wait 60 until 60\n", expected=frozenset({"Gb10NvmlStuck"}),
         cleared=frozenset({"Gb10NvmlStuck"})),
    case("xid-119", "Gb10Xid"),
    case("gpu-lost", "Gb10GpuLost", "Gb10Xid"),
    case("connectx-twin-down", "Gb10ConnectxDegraded"),
    case("unclean-boots", "Gb10UncleanBoots", healthy="idle"),
    case("starved"),
    case("underused"),
    Case("exporter-ended", fault="inference", expected=frozenset({"Gb10ExporterDown"}), exporter="ended"),
    Case("host-wedged", fault="inference", expected=frozenset({"Gb10HostWedged"}), exporter="stopped", ssh=False),
    Case("host-down", fault="inference", expected=frozenset({"Gb10HostDown"}), exporter="ended", ping=False, ssh=False),
]  # fmt: skip

# What a run of minutes cannot show; tests/alerts shows it by promtool's clock.
BY_PROMTOOL = {
    "starved": ("Gb10Starved", "two hours"),
    "underused": ("Gb10Underused", "half a week"),
    "memory in pieces": ("Gb10MemoryFragmented", "half an hour"),
    "disk-full": ("Gb10DiskFilling", "half an hour, and a file system of its own"),
    "a worn drive": ("Gb10NvmeWorn", "15 minutes"),
    "clock-drift": ("Gb10ClockDrift", "ten minutes, and this machine's clock"),
    "a collector that fails": ("Gb10CollectorFailing", "15 minutes"),
    "a key that is too old": ("RotationOverdue", "15 minutes"),
}
