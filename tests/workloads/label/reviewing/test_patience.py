"""How long and how often a failing request is tried again, and what each answer means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import ServiceError
from workloads.label.patience import Again, Patience, insist
from workloads.label.reviewing.answers import RENEWAL_S, judged
from workloads.label.site import LabelStudio

AT = LabelStudio(url="http://desk", token_file=Path("/run/token"))


@dataclass
class Clock:
    """Time that passes by sleeping alone."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.slept.append(seconds)
        self.now += seconds


def tried(fails: int, error: Exception, patience: Patience, clock: Clock) -> int:
    """How many tries it took, each failing but the last."""
    tries = 0

    def attempt() -> int:
        nonlocal tries
        tries += 1
        if tries <= fails:
            raise error
        return tries

    return insist(attempt, patience, lambda _, __: None, clock=lambda: clock.now, sleep=clock.sleep)


@given(st.integers(0, 12))
def test_what_passes_is_survived(fails: int) -> None:
    """A server that is away for less than the patience lasts is only a delay, with waits that grow to a limit."""
    clock = Clock()

    assert tried(fails, Again(ServiceError("away")), Patience(total_s=1000), clock) == fails + 1
    assert len(clock.slept) == fails
    assert all(pause <= 15 * 1.25 for pause in clock.slept)
    assert sum(clock.slept[:3]) < 6


def test_patience_ends() -> None:
    """A server that stays away is an error soon after the time is over, not before and not never."""
    clock = Clock()

    with pytest.raises(ServiceError, match="away"):
        tried(10**6, Again(ServiceError("away")), Patience(total_s=60), clock)

    assert 60 <= clock.now < 61


def test_what_is_final_is_not_tried_again() -> None:
    """A refusal ends at once."""
    clock = Clock()

    with pytest.raises(ServiceError):
        tried(1, ServiceError("no"), Patience(), clock)

    assert clock.slept == []


@pytest.mark.parametrize("status", [None, 408, 425, 429, 500, 502, 503, 504])
def test_silence_and_trouble_pass(status: int | None) -> None:
    """No answer, a busy server and a broken one are worth another try."""
    assert isinstance(judged(status, "x", "importing", AT), Again)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413])
def test_refusals_do_not(status: int) -> None:
    """What a server will never take is told at once, with its own words and without its power over a terminal."""
    error = judged(status, {"detail": "no \x1b[31m tasks"}, "importing", AT)

    assert isinstance(error, ServiceError)
    assert "importing: Label Studio at http://desk refuses with" in str(error)
    assert "\x1b" not in str(error)


def test_a_refused_token_waits_for_its_successor_but_not_long() -> None:
    """A renewal may come a moment after the expiry; a wrong token is told soon, and the token itself never."""
    clock, error = Clock(), judged(401, "Invalid token.", "importing", AT)
    assert isinstance(error, Again)

    with pytest.raises(ServiceError, match="/run/token"):
        tried(10**6, error, Patience(total_s=600), clock)

    assert RENEWAL_S <= clock.now < RENEWAL_S + 1
