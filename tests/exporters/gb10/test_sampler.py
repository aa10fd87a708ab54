"""The sampler process on the simulated library: what its lines say, how big it is, and when it ends."""

from __future__ import annotations

import contextlib
import json
import random
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pynvml as nvml
import pytest

from exporters.gb10 import sampler as program
from exporters.gb10.readings import nvml as readings
from exporters.gb10.sources import sampler_process
from exporters.gb10.sources.sampler_process import Sampler, SamplerProgram
from lab import gb10

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Load: TypeAlias = Callable[..., None]
    Start: TypeAlias = Callable[..., Sampler]

LINE_S = 20.0
# A reading → the field that it becomes; those that the sampler reads each time, then the others.
OFTEN = {
    "nvmlDeviceGetTemperature": "temperature_celsius",
    "nvmlDeviceGetPowerUsage": "power_watts",
    "nvmlDeviceGetClockInfo": "sm_clock_hertz",
    "nvmlDeviceGetUtilizationRates": "utilization_ratio",
    "nvmlDeviceGetPerformanceState": "performance_state",
}
SELDOM = {
    "nvmlDeviceGetName": "name",
    "nvmlDeviceGetApplicationsClock": "application_clock_hertz",
    "nvmlDeviceGetMaxClockInfo": "sm_clock_max_hertz",
    "nvmlDeviceGetMarginTemperature": "temperature_margin_celsius",
    "nvmlDeviceGetTotalEnergyConsumption": "energy_joules",
}
CODES = (1, 2, 3, 4, 9, 13, 15, 16, 17, 25, 999)


@pytest.fixture(autouse=True)
def load(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`load(lines)`: the inference scenario and these lines after it, for samplers started in this test."""
    monkeypatch.setenv("NVML_SCENARIO", str(tmp_path / "scenario"))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(built))

    def write(lines: str = "") -> None:
        gb10.replace(tmp_path / "scenario", gb10.scenario("inference") + lines)

    write()
    return write


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts samplers, and ends them with the test."""
    running = []

    def run(interval_s: float = 0.02) -> Sampler:
        running.append(SamplerProgram(interval_s).start())
        return running[-1]

    yield run
    for sampler in running:
        sampler.forget()


def line(sampler: Sampler) -> dict[str, Any]:
    """The next line; the sampler must not have ended."""
    text = sampler.line(LINE_S)
    assert text is not None
    return dict(json.loads(text))


def settled(sampler: Sampler) -> str:
    """A line whose every reading was taken after now: the second from here that has read everything anew."""
    with contextlib.suppress(TimeoutError):  # those of before wait in the pipe, many of them where a machine is slow
        while sampler.line(0):
            pass
    for _ in range(2):
        while (text := sampler.line(LINE_S)) and any(
            gpu.get("seldom", {"age_s": 0})["age_s"] for gpu in json.loads(text)["gpus"]
        ):
            pass
    assert text is not None
    return text


def anonymous_kib(sampler: Sampler) -> int:
    """The memory of the process that is its own."""
    text = Path(f"/proc/{sampler._process.pid}/smaps_rollup").read_text()
    return int(text.partition("Anonymous:")[2].split()[0])


def test_slow_readings_are_taken_each_fifth_sample_and_tell_their_age(start: Start) -> None:
    """Between two slow readings a line repeats the last one with its true age, and no line's is older than that."""
    sampler = start(0.1)
    ages = [line(sampler)["gpus"][0]["seldom"]["age_s"] for _ in range(15)]
    assert ages[0] == 0
    assert 2 <= ages.count(0) <= 4
    assert all(age < 0.6 for age in ages if age)  # five samples, and one for a slow machine
    assert all(after > before or after == 0 for before, after in pairwise(ages))


def test_a_process_that_computes_and_draws_is_counted_once(load: Load, start: Start) -> None:
    """Its memory is told once, and it is one process."""
    load("process = graphics 6872 72943140864\n")
    processes = line(start())["gpus"][0]["values"]["processes"]
    assert processes["bytes"]["6872"] == 72943140864
    assert (processes["all"], processes["compute"]) == (3, 1)


def test_a_long_process_table_does_not_make_a_long_line(load: Load, start: Start) -> None:
    """Of 50 processes the 32 largest are told one by one, the others as a sum."""
    kinds = ("compute", "graphics")
    load("".join(f"process = {kinds[pid % 2]} {pid} {pid}000\n" for pid in range(100001, 100048)))
    processes = line(start())["gpus"][0]["values"]["processes"]
    assert processes["all"] == 50
    assert len(processes["bytes"]) == 32
    told = sum(processes["bytes"].values()) + processes["rest_bytes"]
    assert told == sum(range(100001, 100048)) * 1000 + 72943140864 + 45088768 + 17825792


def test_a_gpu_that_leaves_the_count_is_lost_and_not_forgotten(load: Load, start: Start) -> None:
    """A driver that counts one GPU less than before leaves that GPU down, and NVML with it."""
    load("nvmlDeviceGetCount_v2 = 2\n")
    sampler = start()
    assert len(line(sampler)["gpus"]) == 2
    load("nvmlDeviceGetCount_v2 = 1\n")
    sample = readings.sample(settled(sampler))
    assert isinstance(sample, readings.Sample)
    assert [gpu.up for gpu in sample.gpus] == [True, False]
    assert not sample.up


@pytest.mark.parametrize(
    ("lines", "why"),
    [("nvmlDeviceGetCount_v2 = 0\n", "there is no GPU"), ("nvmlInit = error 18\n", "version mismatch")],
)
def test_without_a_gpu_or_a_driver_it_says_why_and_ends(lines: str, why: str, load: Load, start: Start) -> None:
    """One line of failure, then the end."""
    load(lines)
    sampler = start()
    assert why in line(sampler)["failure"]
    assert sampler.line(LINE_S) is None


def test_codes_that_flip_at_random_are_told_as_they_are(load: Load, start: Start) -> None:
    """What answers is told, what refuses is not, and a GPU in trouble is not up, over 60 changes."""
    chance = random.Random(20)  # noqa: S311  a test's dice, the same each time
    sampler = start(0.005)
    for _ in range(60):
        codes = {call: chance.choice(CODES) for call in {**OFTEN, **SELDOM} if chance.random() < 0.3}
        if chance.random() < 0.1:
            codes["nvmlDeviceGetHandleByIndex_v2"] = chance.choice((2, 15, 999))
        load(
            "".join(
                f"{call} = error {code}\n{call}.1 = error {code}\n{call}.0 = error {code}\n"
                for call, code in codes.items()
            )
        )
        sample = readings.sample(settled(sampler))
        assert isinstance(sample, readings.Sample)
        (gpu,) = sample.gpus
        has_handle = "nvmlDeviceGetHandleByIndex_v2" not in codes
        answers = has_handle and readings.TROUBLE_CODES.isdisjoint(codes.get(call, 3) for call in OFTEN)
        for calls, are_told in ((OFTEN, has_handle), (SELDOM, answers)):
            for call, field in calls.items():
                assert (getattr(gpu, field) is not None) == (are_told and call not in codes), (call, codes)
        assert gpu.up == (has_handle and readings.TROUBLE_CODES.isdisjoint(codes.values())), codes


def test_compiled_beforehand_it_says_the_same_and_is_half_as_big(
    load: Load, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sampler that compiles pynvml itself keeps the memory which that took; the lines are alike."""
    load("nvmlDeviceGetTotalEnergyConsumption = 7\n")
    small = start()
    monkeypatch.setattr(sampler_process, "compiled", lambda: None)
    monkeypatch.setattr(sampler_process, "PYTHON", (*sampler_process.PYTHON, "-X", "pycache_prefix=/nonexistent", "-B"))
    big = start()
    assert line(small) == line(big)
    assert anonymous_kib(small) < 0.6 * anonymous_kib(big)


def test_a_compiler_that_fails_costs_memory_only(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampler then runs from source."""
    monkeypatch.setattr(sampler_process, "COMPILER", "raise SystemExit(3)")
    assert line(start())["gpus"][0]["values"]["temperature_celsius"] == 75


def test_a_driver_that_gives_nothing_is_asked_anew_each_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """While no GPU gives a value NVML is shut down and started again: one that was loaded anew answers only then."""
    calls, now = [], 0.0

    def sleep(_: float) -> None:
        nonlocal now
        now += 1
        if now > 65:
            raise BrokenPipeError

    monkeypatch.setattr(program, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    monkeypatch.setattr(program, "end_with_parent", lambda: None)
    monkeypatch.setattr(program, "write", lambda _: None)
    monkeypatch.setattr(program.Gpus, "sample", lambda _: [{"values": {}}])
    monkeypatch.setattr(nvml, "nvmlInit", lambda: calls.append("start"))
    monkeypatch.setattr(nvml, "nvmlShutdown", lambda: calls.append("end"))
    monkeypatch.setattr(nvml, "nvmlSystemGetDriverVersion", lambda: "1")
    assert program.run(1) == 0
    assert calls == ["start", "end", "start", "end", "start"]
