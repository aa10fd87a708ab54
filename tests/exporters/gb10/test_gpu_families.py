"""The metrics of a GPU that do not come from one reading alone: its low-power state and the announced cap."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from exporters.gb10.collectors import gpu as collector
from exporters.gb10.readings.nvml import Gpu, Sample
from exporters.gb10.snapshot import Snapshot, Status
from exporters.gb10.states import State
from exporters.web.exposition import exposition

CALM = dict.fromkeys(("sw_power_cap", "sw_thermal_slowdown"), 0.0)
STUCK = Gpu(0, up=True, utilization_ratio=0.96, sm_clock_hertz=799e6, power_watts=19.5,
            application_clock_hertz=2418e6, event_reason_seconds=CALM)  # fmt: skip
IDLE = Gpu(1, up=True, utilization_ratio=0, sm_clock_hertz=208e6, power_watts=3,
           application_clock_hertz=2418e6, event_reason_seconds=CALM)  # fmt: skip


def told(status: Status, name: str) -> dict[tuple[str, ...], float]:
    """The series of a family by the values of their labels."""
    text = exposition(collector.families(status))
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"sparkfleet_gb10_gpu_{name}"
    }


def seen(seconds: int, *, cap_hertz: float | None = None) -> Status:
    """How things stand after so many seconds of a stuck and an idle GPU, sampled each second."""
    now = 0.0
    snapshot = Snapshot(6, lambda: now, clock_cap_hertz=cap_hertz)
    for second in range(seconds + 1):
        now = float(second)
        snapshot.put(Sample("1", (STUCK, IDLE)))
    return snapshot.status()


def test_each_gpu_has_exactly_one_state_of_five() -> None:
    """After a minute the series of one state is 1, those of the four others are 0, for each GPU by itself."""
    found = told(seen(60), "low_power_state")
    assert {labels for labels, value in found.items() if value} == {("0", "stuck"), ("1", "ok")}
    assert sorted(found) == sorted((gpu, state.value) for gpu in ("0", "1") for state in State)


def test_there_is_no_state_before_a_minute_or_without_a_fresh_sample() -> None:
    """What was not watched for a minute is not judged, and an old judgement is not told."""
    assert told(seen(59), "low_power_state") == {}
    now = 0.0
    snapshot = Snapshot(6, lambda: now)
    for second in range(62):
        now = float(second)
        snapshot.put(Sample("1", (STUCK,)))
    now += 7
    assert snapshot.status().low_power == {}
    assert told(snapshot.status(), "low_power_state") == {}


def test_the_announced_cap_is_told_for_each_gpu_and_only_if_there_is_one() -> None:
    """The flag's value comes through in hertz, and explains a low clock."""
    assert told(seen(1), "clock_cap_expected_hertz") == {}
    assert told(seen(1, cap_hertz=2.2e9), "clock_cap_expected_hertz") == {("0",): 2.2e9, ("1",): 2.2e9}
    assert told(seen(60, cap_hertz=800e6), "low_power_state")["0", "stuck"] == 0
