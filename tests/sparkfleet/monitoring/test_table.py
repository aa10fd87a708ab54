"""A fleet's status → what a terminal shows, line for line."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sparkfleet.monitoring import words
from sparkfleet.monitoring.decide import status
from sparkfleet.monitoring.status import Answers, FleetStatus
from sparkfleet.monitoring.table import COLUMNS, show
from tests.sparkfleet.told import ASKED, NOW_S, fleet, machine, one_gpu, sample

GOLDEN = Path(__file__).resolve().parents[2] / "golden/monitoring/status.txt"
HOST = "spark-01"
DASH = words.UNKNOWN
ALONE = dataclasses.replace(ASKED, hosts=(HOST,))


def printed(found: FleetStatus, width: int = 200, *, colours: bool = False) -> str:
    """What the terminal gets."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, highlight=False, force_terminal=colours, color_system="standard" if colours else None,
        legacy_windows=False, no_color=not colours,
    )  # fmt: skip
    console.print(show(found, width, "at http://192.0.2.1:9090"))
    return file.getvalue()


def test_the_table_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    """Five hosts in five states; run with --update-golden after a change, and read the diff."""
    text = "\n".join(line.rstrip() for line in printed(status(ASKED, fleet())).splitlines()) + "\n"
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


def test_what_is_old_is_grey_and_what_pages_is_red() -> None:
    """Only colours differ from the golden text."""
    lines = printed(status(ASKED, fleet()), colours=True).splitlines()
    hot, wedged = (next(line for line in lines if f"spark-0{n}" in line) for n in (2, 3))

    assert "\x1b[1;31mGb10Hot" in hot
    assert "\x1b[90m88 of 122 GiB" in wedged
    assert "\x1b[90m88 of 122 GiB" not in hot


@given(width=st.integers(20, 220))
def test_a_narrow_terminal_loses_columns_and_says_which(width: int) -> None:
    """The host never goes; no line of the table is broken; what is not shown is named."""
    text = printed(status(ASKED, fleet()), width)
    head = text.splitlines()[0]
    _, _, lost = " ".join(text.split()).partition("A wider terminal shows more: ")

    assert "HOST" in head
    assert [h for h in ASKED.hosts if h not in text] == []
    assert [name for name in COLUMNS if name.upper() not in head and name not in lost] == []


def test_a_hostile_process_name_is_only_a_name() -> None:
    """Neither markup nor escape sequences of it reach the terminal."""
    samples = machine(HOST, process="[red]rm[/] \x1b[2J\u202eevil")
    text = printed(status(ALONE, Answers(NOW_S, samples, {HOST: NOW_S})))

    assert "[red]rm[/] ?[2J?evil 68 GiB +1" in text
    assert "\x1b" not in text


def test_two_gpus_take_two_lines() -> None:
    """The second line names the GPU and repeats nothing of the host."""
    more = [sample(HOST, "gpu_power_watts", 7.5, gpu="1"), *one_gpu(HOST, "1", "train")[4:6]]
    first, second = printed(status(ALONE, Answers(NOW_S, [*machine(HOST), *more], {HOST: NOW_S}))).splitlines()[1:3]

    assert first.startswith("spark-01")
    assert second.startswith("  gpu 1")
    assert "7.5 W" in second
    assert "TSOC" not in second


def test_without_rules_silence_is_explained() -> None:
    """A Prometheus that evaluates nothing must not look like a healthy fleet."""
    assert "evaluates no alerting rules" in printed(
        status(ALONE, Answers(NOW_S, machine(HOST), {HOST: NOW_S}, rules=()))
    )


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (words.percent(0.954), "95 %"),
        (words.percent(0.0), "0 %"),
        (words.percent(None), DASH),
        (words.celsius(84.6), "85 °C"),
        (words.watts(4.52), "4.5 W"),
        (words.watts(43.2), "43 W"),
        (words.hertz(208e6), "208 MHz"),
        (words.hertz(2.489e9), "2.49 GHz"),
        (words.gib(121.7 * 2**30), "122 GiB"),
        (words.gib(3.06e9), "2.8 GiB"),
        (words.gib(45e6), "43 MiB"),
        (words.duration(3.2), "3 s"),
        (words.duration(-1), "0 s"),
        (words.duration(119), "119 s"),
        (words.duration(240), "4 min"),
        (words.duration(9000), "2.5 h"),
        (words.duration(200_000), "2.3 d"),
        (words.duration(float("nan")), DASH),
        (words.harmless("x" * 99), "x" * 59 + "…"),
    ],
)
def test_numbers_are_said_with_their_units(shown: str, text: str) -> None:
    """What is not known is a dash; zero is zero."""
    assert shown == text
