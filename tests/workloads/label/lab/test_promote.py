"""Promotion on a real Triton server and bucket: what is promoted serves and names its run, and nobody else gets in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.promotions import Project
from workloads.errors import GateError, ServiceError
from workloads.label.promoting import probes
from workloads.label.promoting.repository import fetch
from workloads.label.promoting.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.labs import LabelLab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def promoted(label_lab: LabelLab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose first candidate was promoted by the stage."""
    project = Project("tiny", tmp_path_factory.mktemp("tiny") / "project", label_lab, latency_ms=1000)
    assert project.promote()["result"] == "nothing new: there is no candidate"
    run = project.candidate()
    report = project.promote()
    assert {key: report.get(key) for key in ("result", "run", "serving", "before")} == {
        "result": "promoted", "run": run, "serving": "tiny:1", "before": None,
    }, report  # fmt: skip
    return project


def test_what_was_promoted_serves_and_names_its_run(promoted: Project, tmp_path: Path) -> None:
    """The bucket says so, the server answers as the judged file does, and the files can be fetched."""
    assert promoted.serving == 1
    assert promoted.server.serves("tiny", 1)
    assert promoted.server.run_of("tiny") == promoted.runs[0]
    assert promoted.site.models
    got = fetch(promoted.site.models, "tiny", 1, tmp_path / "1")
    assert {path.name for path in got.iterdir()} == {
        "model.onnx", "tokenizer.json", "card.json", "evaluation.json", "probes.json", "manifest.json",
    }  # fmt: skip
    for known in probes.PROBES.validate_json((got / probes.FILE).read_bytes()):
        assert known.answered_by(promoted.server.infer("tiny", known.tokens).classes)


def test_the_model_repository_is_shut_to_who_has_no_key(promoted: Project) -> None:
    """Whoever may load a model may run code on the server; everybody may ask."""
    assert promoted.site.calypso
    anybody = Server(promoted.site.calypso.model_copy(update={"admin_key_file": None}), patience_s=1)

    for forbidden in (lambda: anybody.load("tiny"), lambda: anybody.unload("tiny")):
        with pytest.raises(ServiceError, match="keeps its model repository shut"):
            forbidden()
    assert anybody.infer("tiny", [2, 4, 3]).version == 1
    with pytest.raises(GateError, match="does not answer"):
        anybody.infer("unheard-of", [2, 4, 3])


def test_a_candidate_that_may_not_serve_changes_nothing(promoted: Project) -> None:
    """The gate's no is no error; a damaged file is one; each is said once and recorded."""
    before = len(promoted.ends())
    worse = promoted.candidate("worse")
    refused, again = promoted.promote(), promoted.promote()
    cut = promoted.candidate("truncated")
    failed = promoted.promote()

    assert refused["result"] == "refused"
    assert "F1 +0.030 to tiny:1, at 98% confidence at least -0.020 (n = 20 documents)" in refused["reason_1"]
    assert again["result"].startswith("nothing new: the newest candidate was refused")
    assert failed["code"] == GateError.exit_code
    assert "model.onnx is not the file that the card names" in failed["what"]
    assert promoted.ends()[before:] == [(worse, "refused"), (cut, "refused")]
    assert promoted.serving == 1
