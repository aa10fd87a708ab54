"""From reviews to a judged candidate, in the stages' own processes: the same again, also after a kill."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.workloads.label.model.archive import Archive, ended
from workloads.label.learning import candidates, folder
from workloads.label.records import Arm, Evaluation

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 120.0
STATE = "candidates/.training/*/state.safetensors"


def weights(archive: Archive, run: str) -> str:
    """The digest of what was learned."""
    return hashlib.sha256((archive.work.path("candidates", run, "model", "model.safetensors")).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def trained(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two copies of one reviewed project: one trained at a stretch, one killed on its way and run again."""
    place = tmp_path_factory.mktemp("trained")
    whole = archive.copy(place / "whole")
    whole.review(whole.items())
    killed = whole.copy(place / "killed")
    first, second = killed.start("finetune", "run-1"), whole.start("finetune", "run-1")
    deadline = time.monotonic() + LONG_S
    while not list(killed.work.folder.glob(STATE)):
        assert time.monotonic() < deadline, (killed.folder / "finetune.log").read_text()
        assert first.poll() is None, (killed.folder / "finetune.log").read_text()
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    next(killed.work.folder.glob(STATE)).with_name("state.part").write_bytes(b"garbage")  # the next one, half written
    left = sorted(path.name for path in killed.work.path("candidates").iterdir())
    again = killed.start("finetune", "run-2")
    return {"whole": whole, "killed": killed, "left": left, "at once": ended(second), "resumed": ended(again)}


def test_a_training_goes_on_where_it_was_killed(trained: dict[str, Any]) -> None:
    """From its last whole state, in fewer steps, to the very same weights; a half candidate is never seen."""
    at_once, resumed = trained["at once"], trained["resumed"]

    assert trained["left"] == [".training"]
    assert (at_once[0], resumed[0]) == (0, 0)
    assert 0 < resumed[1]["steps"] <= at_once[1]["steps"] - 10
    assert weights(trained["killed"], "run-2") == weights(trained["whole"], "run-1")


def test_a_candidate_is_what_its_card_says_and_no_pickle(trained: dict[str, Any]) -> None:
    """Hashes, labels, counts; nothing is left of the training but what is shipped."""
    work = trained["whole"].work
    card = candidates.newest(work).card
    here = work.path("candidates", "run-1")

    assert sorted(str(path.relative_to(here)) for path in here.rglob("*") if path.is_file()) == [
        "card.json", "model.onnx", "model/config.json", "model/model.safetensors", "model/tokenizer.json",
        "model/tokenizer_config.json", "recipe.json", "tokenizer.json", "training.jsonl",
    ]  # fmt: skip
    assert not list(work.path("candidates", ".training").iterdir())
    assert card.onnx_sha256 == hashlib.sha256((here / folder.MODEL).read_bytes()).hexdigest()
    assert card.labels == ["NAME", "DATE"]
    assert card.max_tokens == 48
    assert 0 < card.parity < 1e-4
    assert (
        card.examples == len(trained["whole"].items(Arm.ASSISTED, Arm.CONTROL)) == len(candidates.newest(work).learned)
    )


def test_nothing_is_trained_twice(trained: dict[str, Any]) -> None:
    """Another run finds nothing new to learn, and says so; nor does it after a held-out item was reviewed again."""
    code, report = trained["whole"].run("finetune", "run-3")

    assert code == 0
    assert report["result"] == "nothing new: 0 new reviews since the last candidate, 3 are wanted"
    assert not trained["whole"].work.path("candidates", "run-3").exists()


def test_a_candidate_is_judged_once_and_well(trained: dict[str, Any]) -> None:
    """On the held-out documents alone, with intervals; a second look is not taken."""
    archive = trained["whole"]
    code, report = archive.run("evaluate", "run-1")
    evaluation = Evaluation.model_validate_json(archive.work.path("candidates/run-1/evaluation.json").read_bytes())
    held = archive.items(Arm.TEST)

    assert code == 0, report
    assert (evaluation.items, evaluation.documents) == (len(held), len({item.document for item in held}))
    assert evaluation.candidate["all"].f1 > 0.9, report
    assert evaluation.candidate["all"].low <= evaluation.candidate["all"].f1 <= evaluation.candidate["all"].high
    assert evaluation.latency_ms > 0
    assert report["calibration_error"] < 0.2
    assert archive.run("evaluate", "run-2")[1]["result"] == "nothing new: the newest candidate was judged on v001"


def test_the_same_model_is_no_better_than_itself(trained: dict[str, Any], tmp_path: Path) -> None:
    """When another model serves, the candidate is judged anew, both on the very same items; an old verdict goes."""
    archive = trained["whole"].copy(tmp_path / "served")
    here, serving = archive.work.path("candidates/run-1"), archive.work.path("serving/3")
    archive.run("evaluate")
    archive.work.put("candidates/run-1/verdict.json", b"{}")
    shutil.copytree(here, serving)
    card = json.loads((here / "card.json").read_bytes())
    (serving / "card.json").write_text(json.dumps(card | {"run": "older"}))

    code, report = archive.run("evaluate")
    evaluation = Evaluation.model_validate_json((here / "evaluation.json").read_bytes())

    assert (code, report["serving"]) == (0, "letters:3"), report
    assert evaluation.candidate == evaluation.incumbent
    assert evaluation.difference == 0
    assert evaluation.difference_low is not None
    assert evaluation.difference_low <= 0
    assert not (here / "verdict.json").exists()
    (serving / "card.json").write_text(json.dumps(card))
    assert archive.run("evaluate")[1]["result"] == "nothing new: the newest candidate is the one that serves"


def test_without_a_base_model_the_stage_says_so(archive: Archive, tmp_path: Path) -> None:
    """Its exit code is MissingModelError's; weights in a pickle are none."""
    place = archive.copy(tmp_path / "baseless")
    place.review(place.items())
    (tmp_path / "base-model").mkdir()
    (tmp_path / "base-model" / "pytorch_model.bin").write_bytes(b"")
    place.begin_at(tmp_path)

    code, error = place.run("finetune")

    assert code == 24
    assert error["what"].endswith("model.safetensors is not there")
