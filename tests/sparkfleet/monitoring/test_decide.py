"""What Prometheus answered → states and figures: nothing unknown becomes a number, nothing old is called new."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.monitoring.decide import METRICS, status
from sparkfleet.monitoring.status import Answers, Asked, Gpu, Host, State
from tests.sparkfleet.told import ASKED, NOW_S, alert, fleet, machine, one_gpu, probes, sample

if TYPE_CHECKING:
    from sparkfleet.monitoring.prometheus import Sample

HOST = "spark-01"
ALONE = Asked("office", (HOST,), frozenset({HOST}), 45.0)


def decided(*samples: Sample, asked: Asked = ALONE, **more: Any) -> Host:
    """The one host."""
    scraped = {} if not any(s.name == "up" for s in samples) else {HOST: NOW_S - 5}
    [host] = status(asked, Answers(NOW_S, samples, **{"scraped_s": scraped} | more)).hosts
    return host


def without(samples: list[Sample], *names: str) -> list[Sample]:
    """The samples less some metrics."""
    return [s for s in samples if not s.name.endswith(names)]


def test_a_healthy_host_shows_what_its_exporter_said() -> None:
    """Every figure is the one that was scraped; used memory is total less available."""
    host = decided(*machine(HOST))

    assert (host.state, host.stale, host.age_s, host.label) == (State.UP, False, 5.0, "simulated")
    assert host.hottest
    assert (host.hottest.name, host.hottest.celsius, host.hottest.distance_celsius) == ("TSOC", 85.0, 19.85)
    assert host.memory_used_bytes == pytest.approx(88 * 2**30)
    [gpu] = host.gpus
    assert (gpu.state, gpu.utilization_ratio, gpu.power_watts, gpu.temperature_celsius) == ("ok", 0.95, 43.2, 75)
    assert gpu.holder
    assert (gpu.holder.process, gpu.holder.unit, gpu.holder.others) == ("VLLM::EngineCore", "vllm.service", 1)


@pytest.mark.parametrize(
    ("up", "icmp", "ssh", "state"),
    [
        (1, 1, 1, State.UP),
        (1, None, None, State.UP),
        (1, 1, 0, State.WEDGED),
        (0, 1, 1, State.EXPORTER_DOWN),
        (0, 0, 1, State.EXPORTER_DOWN),
        (0, 1, None, State.EXPORTER_DOWN),
        (0, 1, 0, State.WEDGED),
        (0, 0, 0, State.HOST_DOWN),
        (0, 0, None, State.HOST_DOWN),
        (0, None, 0, State.NO_ANSWER),
        (0, None, None, State.NO_ANSWER),
        (None, None, None, State.UNKNOWN),
    ],
)
def test_who_answers_decides_the_state(up: int | None, icmp: int | None, ssh: int | None, state: State) -> None:
    """The exporter, ICMP and SSH together tell a dead exporter from a wedged and from a dead host."""
    samples = machine(HOST) if up else [] if up is None else [sample(HOST, "up", 0)]

    assert decided(*samples, *probes(HOST, icmp, ssh)).state is state


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"nvml_stuck_seconds": 240, "nvml_up": 0}, State.NVML_STUCK),
        ({"nvml_stuck_samplers": 1}, State.NVML_STUCK),
        ({"nvml_up": 0}, State.NO_NVML),
        ({"gpu_up": 0}, State.GPU_LOST),
    ],
)
def test_a_driver_that_does_not_answer_is_told_apart(said: dict[str, float], state: State) -> None:
    """The host's own figures stay; the state says what is wrong with the GPU's."""
    samples = without(machine(HOST), *said) + [sample(HOST, name, value, gpu="0") for name, value in said.items()]
    host = decided(*samples)

    assert host.state is state
    assert host.stuck_s == said.get("nvml_stuck_seconds")
    assert host.memory_total_bytes is not None


def test_a_silent_host_keeps_what_it_last_said_as_old() -> None:
    """Its values have the age of its last answer, not of the failed scrape, and never look fresh."""
    host = decided(sample(HOST, "up", 0), last={HOST: (NOW_S - 420, machine(HOST))})

    assert (host.state, host.age_s, host.stale) == (State.NO_ANSWER, 420.0, True)
    assert host.gpus[0].power_watts == 43.2


def test_a_silent_host_that_said_nothing_lately_shows_nothing() -> None:
    """The series that Prometheus still holds for a failed scrape are not the host's."""
    host = decided(sample(HOST, "up", 0))

    assert (host.age_s, host.stale, host.gpus, host.memory_total_bytes) == (None, True, (), None)


@given(age_s=st.floats(0, 1e6))
def test_a_value_is_fresh_only_while_it_is_young(age_s: float) -> None:
    """Prometheus goes on serving the last scrape for minutes after it stopped scraping."""
    host = decided(*machine(HOST), scraped_s={HOST: NOW_S - age_s})

    assert host.stale == (host.age_s is not None and host.age_s > ALONE.stale_after_s)
    assert (host.state is State.STALE) == host.stale


def test_two_gpus_are_two() -> None:
    """Each has its own figures and its own state, in the order of their numbers."""
    more = [s for s in one_gpu(HOST, "10", "train") if not s.name.endswith("low_power_state")]
    host = decided(*machine(HOST, "1"), *more, sample(HOST, "gpu_low_power_state", 1, gpu="10", state="stuck"))

    assert [(gpu.gpu, gpu.state) for gpu in host.gpus] == [("1", "ok"), ("10", "stuck")]


@pytest.mark.parametrize("states", [[], ["ok", "stuck"]], ids=["none", "two"])
def test_a_state_set_with_none_or_two_set_says_nothing(states: list[str]) -> None:
    """No state is guessed."""
    said = [sample(HOST, "gpu_low_power_state", 1, gpu="0", state=s) for s in states]

    assert decided(*without(machine(HOST), "low_power_state"), *said).gpus[0].state is None


def test_a_host_without_an_exporter_is_not_watched() -> None:
    """It is no fault that nothing is known of it."""
    found = status(dataclasses.replace(ALONE, watched=frozenset()), Answers(NOW_S))

    assert found.hosts[0].state is State.UNWATCHED
    assert not found.needs_somebody


def test_alerts_stand_with_their_host_pages_first() -> None:
    """The dead man's switch is no alert; one of no host stands apart; that of a host not asked for is left out."""
    rules = (
        alert("Slow", HOST, "ticket"),
        alert("Watchdog", None, "none"),
        alert("Soon", HOST, "page", "pending"),
        alert("Hot", HOST, "page"),
        alert("Full", None, "ticket"),
        alert("Elsewhere", "spark-02", "page"),
    )
    asked = dataclasses.replace(ALONE, watched=frozenset({HOST, "spark-02"}))
    found = status(asked, Answers(NOW_S, machine(HOST), {HOST: NOW_S}, rules=rules))

    assert [a.name for a in found.hosts[0].alerts] == ["Hot", "Slow", "Soon"]
    assert [a.name for a in found.alerts] == ["Full"]
    assert found.rules == 6


@pytest.mark.parametrize(
    ("rule", "somebody"),
    [
        (alert("Hot", HOST, "page"), True),
        (alert("Hot", HOST, "page", "pending"), False),
        (alert("Slow", HOST, "ticket"), False),
        (alert("Down", None, "page"), True),
    ],
)
def test_a_firing_page_needs_somebody(rule: Any, somebody: bool) -> None:
    """A ticket waits, and a pending alert may pass."""
    assert status(ALONE, Answers(NOW_S, machine(HOST), {HOST: NOW_S}, rules=(rule,))).needs_somebody is somebody


def test_the_order_is_that_of_the_question() -> None:
    """Not Prometheus'."""
    assert [host.host for host in status(ASKED, fleet()).hosts] == list(ASKED.hosts)


WEIRD = st.text(max_size=8) | st.sampled_from(["[red]", "<script>", "\x1b[2J", "0", "1", "TSOC", "ok", "critical"])
LABELS = st.dictionaries(
    st.sampled_from(["gpu", "zone", "name", "process", "unit", "state", "action", "trip", "chassis_asset_tag"]), WEIRD
)
VALUES = st.floats() | st.sampled_from([0.0, 1.0, math.nan, math.inf])
SAMPLES = st.lists(
    st.builds(lambda n, v, labels: sample(HOST, n, v, **labels), st.sampled_from([*METRICS, "up"]), VALUES, LABELS),
    max_size=40,
)


def figures(thing: Host | Gpu) -> list[float]:
    """Every number that is shown as it was scraped."""
    own = [v for f in dataclasses.fields(thing) if isinstance(v := getattr(thing, f.name), float)]
    return own + [x for gpu in getattr(thing, "gpus", ()) for x in figures(gpu)]


@given(samples=SAMPLES)
def test_whatever_is_scraped_no_figure_is_made_up(samples: list[Sample]) -> None:
    """Any series missing, NaN or infinite, any label: it never fails, and every figure is finite and was scraped."""
    host = dataclasses.replace(decided(*samples), age_s=None)
    said = {s.value for s in samples}

    shown = figures(dataclasses.replace(host, memory_used_bytes=None))
    assert all(math.isfinite(x) and x in said for x in shown)
    if host.memory_used_bytes is not None:
        assert host.memory_total_bytes is not None


@given(samples=SAMPLES, name=st.sampled_from(METRICS))
def test_a_metric_that_is_not_finite_is_as_good_as_missing(samples: list[Sample], name: str) -> None:
    """NaN is not a value, and not a zero."""
    rest = [s for s in samples if not s.name.endswith(name)]
    broken = [dataclasses.replace(s, value=math.nan) if s not in rest else s for s in samples]

    assert decided(*broken) == decided(*rest)
