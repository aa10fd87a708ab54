"""Killed at any moment, again and again, a training comes to the same candidate, and to one only."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.model.archive import ended
from workloads.label.learning import candidates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.model.archive import Archive

KILLS, LONGEST_S = 10, 12.0  # seconds: a training of these takes 17 on a quiet machine, imports included
LEAST_HITS = 5  # kills that met a run under way; after one ran to its end the others find nothing to do


@pytest.mark.drill
def test_ten_kills_change_nothing(archive: Archive, tmp_path: Path) -> None:
    """Ten random moments, from the imports to the last rename; then it is let run, and is what it would have been."""
    place = archive.copy(tmp_path / "killed")
    place.review(place.items())
    whole = place.copy(tmp_path / "whole")
    assert whole.run("finetune")[0] == 0
    chance = random.Random(11)  # noqa: S311

    killed = 0
    for number in range(KILLS):
        process = place.start("finetune", f"run-{number}")
        try:
            process.wait(chance.uniform(0, LONGEST_S))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        candidates.newest(place.work)  # whatever is there is whole
    code, _ = ended(place.start("finetune", "run-last"))

    made = [each for each in place.work.path("candidates").iterdir() if each.name != ".training"]
    digests = [
        hashlib.sha256(next(of.rglob("*.safetensors")).read_bytes()).hexdigest()
        for of in [*made, *tmp_path.glob("whole/workspaces/letters/candidates/run-1")]
    ]
    assert killed >= LEAST_HITS
    assert code == 0
    assert len(made) == 1
    assert len(set(digests)) == 1
    assert not list(place.work.path("candidates", ".training").glob("*"))
