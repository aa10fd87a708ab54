"""A comparison in the stages' own processes: killed and gone on with, it is the one that was not, to the bit."""

from __future__ import annotations

import hashlib
import signal
import time
from typing import TYPE_CHECKING

import pytest

from workloads.label.comparing import result
from workloads.label.records import Evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.model.archive import Archive

pytestmark = pytest.mark.drill
LONG_S = 600.0
COMPARE = "\n[compare]\nrandom_seeds = [1, 2]\nmixes = [{}, {seeds = true}]\n"


def weights(archive: Archive) -> dict[str, str]:
    """The digest of what each entry learned."""
    files = archive.work.path(result.FOLDER, result.MODELS).glob("*/model/model.safetensors")
    return {file.parts[-3]: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_killed_comparison_goes_on(archive: Archive, tmp_path: Path) -> None:
    """What was trained is not trained again; weights, places and F1 are those of a comparison at a stretch.

    The best one is the newest candidate and is judged at a confidence that four share; later fine-tunes keep to it.
    """
    whole = archive.copy(tmp_path / "whole")
    whole.review(whole.items())
    whole.seeds(20)
    file = whole.folder / "project.toml"
    file.write_text(file.read_text().replace("epochs = 16", "epochs = 4") + COMPARE)
    killed = whole.copy(tmp_path / "killed")

    first = killed.start("compare", "run-1")
    deadline = time.monotonic() + LONG_S
    while not list(killed.work.folder.glob("comparisons/.models/*/said-v001.json")):
        assert time.monotonic() < deadline
        assert first.poll() is None, (killed.folder / "compare.log").read_text()
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = {path: path.stat().st_mtime_ns for path in killed.work.folder.glob("comparisons/.models/*/model/*.safe*")}
    assert not list(killed.work.path("candidates").glob("[!.]*"))

    codes = [each.run("compare", "run-2")[0] for each in (killed, whole)]

    assert codes == [0, 0]
    assert weights(killed) == weights(whole)
    assert len(weights(whole)) == 4
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    one, other = (result.comparisons(each.work)[0] for each in (killed, whole))
    assert one.entries == other.entries
    assert killed.run("compare", "run-3")[1]["result"] == "nothing new: these 4 were compared on v001"

    killed.run("evaluate", "run-2")
    judged = Evaluation.model_validate_json(killed.work.path("candidates/run-2/evaluation.json").read_bytes())
    assert judged.confidence == pytest.approx(1 - 0.02 / 4)
    assert judged.candidate["all"].f1 == pytest.approx(one.entries[0].scores["all"].f1)
    told = killed.run("finetune", "run-4")[1]["result"]
    assert told == "nothing new: 0 new reviews since the last candidate, 3 are wanted"
