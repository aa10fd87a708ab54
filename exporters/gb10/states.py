"""Samples of one GPU → its low-power state: what holds its clock down, or that nothing explains it. Pure.

The best-known fault of a GB10: at full utilisation it stays at 481-890 MHz and 5.8-19.5 W, cool, without any reason
bit, until it is cut off from the mains for a minute (published reports: hoesing/spark-gpu-throttle-check; trap 124 of
Blackwellboy's minefield; NVIDIA forum 376039, 361294, 366590). A healthy one runs at 2300-2535 MHz and 30-105 W under
load.

A state is said once the samples of at least WINDOW_S have been seen without a gap; the first that holds is the state:

- `thermal`: the counters of the slowdown by heat (software or hardware) grew for at least HELD_SHARE of the window.
- `power_cap`: so did those of the power cap, in software or by the brake of the board.
- `stuck`: in every sample the utilisation is at least LOADED_RATIO, the SM clock below STUCK_CLOCK_RATIO of the
  reference clock and the power below STUCK_WATTS; and no event counter at all grew.
- `capped`: in every sample the utilisation is at least LOADED_RATIO and the power at least STUCK_WATTS; the clock lies
  below CAPPED_CLOCK_RATIO of the reference clock and moves by no more than FLAT_HERTZ; and no event counter grew. This
  is how an operator's `nvidia-smi -lgc` looks.
- `ok`: anything else, so also a GPU without load and one that a reason holds down for less than HELD_SHARE.

The reference clock is the application clock (2418 MHz on a GB10) or, of a GPU without one, APPLICATION_CLOCK_SHARE of
the highest. For `stuck` it is no higher than the cap that the operator has announced (`--gpu.clock-cap`): without that
word, a cap below 1088 MHz that leaves a GB10 under 25 W looks like the fault. A GPU that lacks one of the readings, the
counters included, has no state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.gb10.readings.nvml import Gpu

WINDOW_S = 60.0
LOADED_RATIO = 0.8
STUCK_CLOCK_RATIO = 0.45  # 1088 MHz on a GB10: between 890, the highest seen stuck, and 1989, the lowest seen capped
STUCK_WATTS = 25.0  # between 19.5, the highest seen stuck, and 30, the lowest seen in healthy inference
HELD_SHARE = 0.5  # of the window. DECISION: a state says what held the clock for most of the time; rates say the rest
CAPPED_CLOCK_RATIO = 0.92  # 2225 MHz: between a cap of 2200 (2184 seen) and 2275, the lowest seen throttled by heat
FLAT_HERTZ = 26e6  # two of the largest steps seen (13 MHz): 2200 showed as 2177 and 2184, 2000 as 1989
APPLICATION_CLOCK_SHARE = 0.8  # a GB10's own: 2418 of 3003 MHz

HEAT = ("sw_thermal_slowdown", "hw_thermal_slowdown")
POWER = ("sw_power_cap", "hw_power_brake")


class State(Enum):
    """Why the clock is what it is."""

    OK = "ok"
    CAPPED = "capped"
    THERMAL = "thermal"
    POWER_CAP = "power_cap"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the rule needs of one sample."""

    at_s: float  # by a clock that never goes back
    utilization_ratio: float
    clock_hertz: float
    power_watts: float
    reference_hertz: float
    counters: Mapping[str, float]  # reason → seconds


Window: TypeAlias = tuple[Moment, ...]  # in the order of time; empty: nothing is known


def moment(at_s: float, gpu: Gpu) -> Moment | None:
    """One GPU of a sample at a time; None when it is not up or does not say all that the rule needs."""
    reference = gpu.application_clock_hertz
    if reference is None and gpu.sm_clock_max_hertz is not None:
        reference = APPLICATION_CLOCK_SHARE * gpu.sm_clock_max_hertz
    utilization, clock, power = gpu.utilization_ratio, gpu.sm_clock_hertz, gpu.power_watts
    if not gpu.up or utilization is None or clock is None or power is None or reference is None:
        return None
    if not gpu.event_reason_seconds:
        return None
    return Moment(at_s, utilization, clock, power, reference, gpu.event_reason_seconds)


def extended(window: Window, new: Moment | None, gap_s: float) -> Window:
    """The window one sample later: what is older than needed falls out.

    It begins anew after more than `gap_s` without a sample, when counters run back or change (a driver loaded again),
    and when the time does not go on.
    """
    if new is None:
        return ()
    if not window:
        return (new,)
    last = window[-1]
    is_next = 0 < new.at_s - last.at_s <= gap_s and new.counters.keys() == last.counters.keys()
    if not is_next or any(new.counters[reason] < last.counters[reason] for reason in last.counters):
        return (new,)
    start = new.at_s - WINDOW_S
    keep = next((number for number, (_, after) in enumerate(pairwise(window)) if after.at_s > start), len(window) - 1)
    return (*window[keep:], new)


def state(window: Window, cap_hertz: float | None = None) -> State | None:
    """The state at the end of the window; None while it spans less than WINDOW_S. `cap_hertz`: the announced cap."""
    if not window or window[-1].at_s - window[0].at_s < WINDOW_S:
        return None
    first, last = window[0], window[-1]
    grown = {reason: seconds - first.counters[reason] for reason, seconds in last.counters.items()}
    enough_s = HELD_SHARE * (last.at_s - first.at_s)
    if max(grown.get(reason, 0) for reason in HEAT) >= enough_s:
        return State.THERMAL
    if max(grown.get(reason, 0) for reason in POWER) >= enough_s:
        return State.POWER_CAP
    if any(grown.values()) or any(each.utilization_ratio < LOADED_RATIO for each in window):
        return State.OK
    if all(is_stuck(each, cap_hertz) for each in window):
        return State.STUCK
    return State.CAPPED if is_capped(window) else State.OK


def is_stuck(moment: Moment, cap_hertz: float | None) -> bool:
    """Whether clock and power of a loaded GPU are those of the fault."""
    reference = min(moment.reference_hertz, cap_hertz or moment.reference_hertz)
    return moment.clock_hertz < STUCK_CLOCK_RATIO * reference and moment.power_watts < STUCK_WATTS


def is_capped(window: Window) -> bool:
    """Whether the clock of a loaded GPU is held flat, clearly below its reference, at normal power."""
    clocks = [each.clock_hertz for each in window]
    return max(clocks) - min(clocks) <= FLAT_HERTZ and all(
        each.power_watts >= STUCK_WATTS and each.clock_hertz < CAPPED_CLOCK_RATIO * each.reference_hertz
        for each in window
    )
