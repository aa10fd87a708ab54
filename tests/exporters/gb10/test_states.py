"""The low-power rule over windows of samples: what it says, and what it never says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gb10 import states
from exporters.gb10.readings.nvml import Gpu
from exporters.gb10.states import Moment, State, Window

GAP_S = 6.0
MHZ = 1e6
CALM = dict.fromkeys(
    ("sw_power_cap", "sync_boost", "sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake"), 0.0
)
STUCK = Moment(0, 0.96, 799 * MHZ, 19.5, 2418 * MHZ, CALM)  # as reported: trap 124
BUSY = replace(STUCK, clock_hertz=2489 * MHZ, power_watts=43.2)
CAPPED = replace(STUCK, clock_hertz=2184 * MHZ, power_watts=37.0)

moments = st.builds(
    Moment,
    st.just(0.0),
    st.floats(0, 1),
    st.floats(208, 3003).map(lambda megahertz: megahertz * MHZ),
    st.floats(2, 120),
    st.just(2418 * MHZ),
    st.just(CALM),
)


def window(*parts: tuple[Moment, int], growing: dict[str, float] | None = None) -> Window:
    """One sample a second: each moment so many times; counters grow by so many seconds each second."""
    found: Window = ()
    for second, moment in enumerate(moment for moment, count in parts for _ in range(count)):
        counters = CALM | {reason: each * second for reason, each in (growing or {}).items()}
        found = states.extended(found, replace(moment, at_s=float(second), counters=counters), GAP_S)
    return found


def test_nothing_is_said_before_a_minute_was_seen() -> None:
    """60 samples span 59 s: no state; with the 61st there is one."""
    assert states.state(window((STUCK, 60))) is None
    assert states.state(window((STUCK, 61))) is State.STUCK


@pytest.mark.parametrize(
    ("megahertz", "watts"), [(799, 19.5), (481, 5.8), (858, 15.8), (507, 11.1), (890, 19.5), (695, 12)]
)
def test_every_reported_stuck_machine_is_stuck(megahertz: float, watts: float) -> None:
    """Clock and power of the published cases are recognized."""
    assert states.state(window((replace(STUCK, clock_hertz=megahertz * MHZ, power_watts=watts), 70))) is State.STUCK


@pytest.mark.parametrize(
    ("megahertz", "watts", "ratio"),
    [(208, 3, 0), (2522, 15.57, 0), (2489, 43.2, 0.95), (2281, 92.5, 0.96), (2385, 30, 1), (2275, 62.7, 0.96)],
)
def test_every_reported_healthy_machine_is_ok(megahertz: float, watts: float, ratio: float) -> None:
    """Idle, a resident model, inference and heavy compute are no fault and no cap."""
    healthy = replace(BUSY, clock_hertz=megahertz * MHZ, power_watts=watts, utilization_ratio=ratio)
    assert states.state(window((healthy, 70))) is State.OK


@pytest.mark.parametrize(("megahertz", "watts"), [(2184, 37), (2177, 38), (1989, 36.5)])
def test_every_reported_cap_is_a_cap(megahertz: float, watts: float) -> None:
    """A clock that `nvidia-smi -lgc` holds at 2200 or 2000 MHz is `capped`, also while it moves by one step."""
    held = replace(CAPPED, clock_hertz=megahertz * MHZ, power_watts=watts)
    stepped = replace(held, clock_hertz=held.clock_hertz - 13 * MHZ)
    assert states.state(window((held, 30), (stepped, 40))) is State.CAPPED


def test_a_clock_that_wanders_is_not_capped() -> None:
    """Below the reference clock but not flat: nothing is claimed."""
    assert states.state(window((CAPPED, 30), (replace(CAPPED, clock_hertz=2100 * MHZ), 40))) is State.OK


def test_an_announced_low_cap_is_no_fault() -> None:
    """At 900 MHz and 20 W a GPU looks stuck, unless the operator has said that 900 MHz is the cap."""
    low = window((replace(STUCK, clock_hertz=893 * MHZ), 70))
    assert states.state(low) is State.STUCK
    assert states.state(low, cap_hertz=900 * MHZ) is State.OK


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("sw_thermal_slowdown", State.THERMAL),
        ("hw_thermal_slowdown", State.THERMAL),
        ("sw_power_cap", State.POWER_CAP),
        ("hw_power_brake", State.POWER_CAP),
        ("sync_boost", State.OK),
    ],
)
def test_a_reason_held_for_most_of_the_minute_is_the_state(reason: str, expected: State) -> None:
    """From half of the window on the reason's group is told; for less than that nothing is."""
    assert states.state(window((BUSY, 70), growing={reason: 0.6})) is expected
    assert states.state(window((BUSY, 70), growing={reason: 0.4})) is State.OK


def test_heat_comes_before_power() -> None:
    """Where both hold the clock, the state is one, and it is `thermal`."""
    both = window((BUSY, 70), growing={"sw_thermal_slowdown": 0.9, "sw_power_cap": 0.9})
    assert states.state(both) is State.THERMAL


def test_recovery_is_seen_with_the_first_good_sample() -> None:
    """One sample at a healthy clock ends `stuck`; it takes a whole minute to be stuck again."""
    assert states.state(window((STUCK, 70), (BUSY, 1))) is State.OK
    assert states.state(window((STUCK, 70), (BUSY, 1), (STUCK, 59))) is State.OK
    assert states.state(window((STUCK, 70), (BUSY, 1), (STUCK, 62))) is State.STUCK


@given(st.lists(moments, min_size=61, max_size=65), st.sampled_from(sorted(CALM)), st.floats(1e-6, 1))
def test_never_stuck_or_capped_while_a_reason_is_counted(each: list[Moment], reason: str, grows: float) -> None:
    """However little a counter grows, the clock has an explanation."""
    found = window(*((moment, 1) for moment in each), growing={reason: grows})
    assert states.state(found) not in {State.STUCK, State.CAPPED, None}


@given(st.lists(moments, min_size=61, max_size=65), st.integers(0, 60), st.floats(0, 0.79))
def test_never_stuck_or_capped_with_an_idle_moment(each: list[Moment], when: int, ratio: float) -> None:
    """One sample without load within the minute is enough for `ok`."""
    each[-1 - when] = replace(each[-1 - when], utilization_ratio=ratio)
    assert states.state(window(*((moment, 1) for moment in each))) is State.OK


@given(st.lists(st.tuples(st.floats(-1, 8), moments | st.none()), max_size=150))
def test_a_window_is_whole_and_goes_on_in_time(steps: list[tuple[float, Moment | None]]) -> None:
    """Whatever the times and whatever is missing: time rises, no gap is longer than allowed, and little is kept."""
    now = 0.0
    found: tuple[Moment, ...] = ()
    for step, moment in steps:
        now += step
        found = states.extended(found, moment and replace(moment, at_s=now), GAP_S)
        times = [each.at_s for each in found]
        assert all(0 < after - before <= GAP_S for before, after in pairwise(times))
        assert not times or times[-1] - times[0] < states.WINDOW_S + GAP_S
        assert (states.state(found) is None) == (not times or times[-1] - times[0] < states.WINDOW_S)


@pytest.mark.parametrize("new", [CALM | {"sw_power_cap": 1.0}, {"sw_power_cap": 9.0}])
def test_counters_that_run_back_or_change_begin_a_new_window(new: dict[str, float]) -> None:
    """A driver that was loaded again knows nothing of the last minute."""
    counted = replace(STUCK, counters=CALM | {"sw_power_cap": 5.0})
    after = replace(STUCK, at_s=1.0, counters=new)
    assert states.extended((counted,), after, GAP_S) == (after,)


GPU = Gpu(0, True, utilization_ratio=0.9, sm_clock_hertz=5e8, power_watts=10, application_clock_hertz=2.418e9,
          sm_clock_max_hertz=3.003e9, event_reason_seconds=CALM)  # fmt: skip


def test_a_gpu_without_an_application_clock_is_measured_by_its_highest() -> None:
    """The reference is the application clock, or else 0.8 of the highest."""
    assert (found := states.moment(1, GPU)) is not None
    assert found.reference_hertz == 2.418e9
    assert (found := states.moment(1, replace(GPU, application_clock_hertz=None))) is not None
    assert found.reference_hertz == pytest.approx(0.8 * 3.003e9)


@pytest.mark.parametrize(
    "lack",
    [
        {"utilization_ratio": None},
        {"sm_clock_hertz": None},
        {"power_watts": None},
        {"event_reason_seconds": {}},
        {"application_clock_hertz": None, "sm_clock_max_hertz": None},
        {"up": False},
    ],
)
def test_a_gpu_that_does_not_say_enough_has_no_state(lack: dict[str, object]) -> None:
    """Without one of the readings nothing is claimed."""
    assert states.moment(1, replace(GPU, **lack)) is None
