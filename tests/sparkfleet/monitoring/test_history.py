"""Range queries and alerting rules → lines with gaps, and thresholds."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.monitoring import history
from sparkfleet.monitoring.decide import status
from sparkfleet.monitoring.history import Threshold, compared, gaps, levels
from sparkfleet.monitoring.prometheus import Rule, Series
from tests.sparkfleet.told import ASKED, NOW_S, fleet

if TYPE_CHECKING:
    from sparkfleet.monitoring.prometheus import Sample

PROJECT = Path(__file__).resolve().parents[3]
HOT, *_ = status(ASKED, fleet()).hosts


@given(steps=st.lists(st.booleans(), max_size=60))
def test_every_missing_step_is_a_gap_and_no_value_is_lost(steps: list[bool]) -> None:
    """A line is broken where, and only where, a step has no value."""
    points = [(NOW_S + 15.0 * n, float(n)) for n, there in enumerate(steps) if there]
    drawn = gaps(points, 15.0)

    assert [p for p in drawn if math.isfinite(p[1])] == points
    missing = sum(b[0] - a[0] > 15.0 for a, b in pairwise(points))
    assert sum(math.isnan(y) for _, y in drawn) == missing
    assert [t for t, _ in drawn] == sorted(t for t, _ in drawn)


def test_a_value_that_is_not_finite_is_a_gap() -> None:
    """NaN and infinity are not drawn at the edge of the plot."""
    drawn = gaps([(0.0, 1.0), (5.0, math.inf), (10.0, 3.0)], 5.0, scale=2.0)

    assert [y for _, y in drawn if math.isfinite(y)] == [2.0, 6.0]
    assert len(drawn) == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sparkfleet_gb10_gpu_power_watts > 90", [90.0]),
        ('max without (gpu) (sparkfleet_gb10_gpu_power_watts{gpu=~"0|1"}) >= 9e1', [90.0]),
        ("avg_over_time(sparkfleet_gb10_gpu_power_watts[5m])\n  > 3 * 2^5", [96.0]),
        ("sparkfleet_gb10_gpu_power_watts > 90 or sparkfleet_gb10_gpu_power_watts > 80", [80.0]),
        ("sparkfleet_gb10_gpu_power_watts < 25", []),
        ("sparkfleet_gb10_gpu_power_watts > 2 * sparkfleet_gb10_power_rail_limit_watts", []),
        ("sparkfleet_gb10_gpu_power_watts / 2 > 90", []),
        ("sparkfleet_gb10_gpu_power_watts_sum > 90", []),
        ("up == 0", []),
    ],
)
def test_a_threshold_is_a_plain_number_that_the_metric_is_compared_with(query: str, found: list[float]) -> None:
    """What is not understood is not drawn."""
    assert [level.value for level in compared([Rule("A", query)], "gpu_power_watts")] == found


def test_the_shipped_rules_have_their_thresholds_in_the_plots() -> None:
    """Gb10Hot begins where the temperature plot says, and the machine ends at its own critical trip."""
    document = yaml.safe_load((PROJECT / "exporters/gb10/alerts.yml").read_text())
    rules = [Rule(r["alert"], r["expr"]) for g in document["groups"] for r in g["rules"] if "alert" in r]

    assert levels(HOT, "temperature", rules) == (Threshold("Gb10Hot", 93.0), Threshold("power-off", 104.85))
    assert "Gb10ThermalThrottling" in levels(HOT, "load", rules)[0].name
    assert levels(HOT, "memory", rules)[-1] == Threshold("total", 121.7, warns=False)
    assert [level.name for level in levels(HOT, "memory", rules)[:-1]] == ["Gb10MemoryWedgeRisk"]


class Told:
    """A Prometheus with 40 minutes of data, in which the power has a hole."""

    source = "told"

    def query(self, _: str) -> list[Sample]:
        """The oldest scrape."""
        return [history_sample(NOW_S - 2400)]

    def query_range(self, promql: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """A point a step."""
        times = [start_s + step_s * n for n in range(int((end_s - start_s) / step_s) + 1)]
        if "gpu_power_watts" in promql:
            return [
                Series(
                    {"instance": "spark-01", "gpu": "0"},
                    tuple((t, 43.2) for t in times if not 50 < times.index(t) < 60),
                )
            ]
        if "event_reason" in promql:
            reasons = {"sw_thermal_slowdown": 0.83, "hw_power_brake": 0.0}
            return [
                Series({"instance": "spark-01", "gpu": "0", "reason": r}, tuple((t, v) for t in times))
                for r, v in reasons.items()
            ]
        if "utilization" in promql:
            return [Series({"instance": "spark-01", "gpu": g}, tuple((t, 0.95) for t in times)) for g in ("0", "1")]
        return []


def history_sample(value: float) -> Sample:
    """A value without labels."""
    from sparkfleet.monitoring.prometheus import Sample

    return Sample({}, value, NOW_S)


def test_a_history_is_as_long_as_there_is_data() -> None:
    """Six hours were asked for; a fleet that is 40 minutes old gets a plot of 40 minutes, not a strip at its edge."""
    told: Any = Told()
    found = history.read(told, status(ASKED, fleet()), (), 6 * 3600)

    assert (found.start_s, found.end_s, found.words) == (NOW_S - 2400, NOW_S, "the last 40 min")
    power = next(plot for plot in found.plots["spark-01"] if plot.title == "Power")
    assert [line.name for line in power.lines] == ["GPU"]
    assert sum(math.isnan(y) for _, y in power.lines[0].points) == 1
    assert all(not plot.lines for plot in found.plots["spark-02"])


def test_only_reasons_that_took_time_are_drawn_and_gpus_are_told_apart() -> None:
    """In per cent of the time; a reason that never applied would be a line at zero."""
    told: Any = Told()
    load = history.read(told, status(ASKED, fleet()), (), 3600).plots["spark-01"][-1]

    assert [line.name for line in load.lines] == ["utilisation 0", "utilisation 1", "sw thermal slowdown"]
    assert load.lines[-1].points[0][1] == pytest.approx(83.0)
    assert (load.unit, load.most) == ("%", 100.0)
