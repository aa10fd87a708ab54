"""What a model says of items: only of those that may be shown it, within the text, anew when another one serves."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from workloads.label.items import items
from workloads.label.records import Arm, Prediction

if TYPE_CHECKING:
    from tests.workloads.label.model.archive import Archive

ODD = [
    "",
    " \n\t ",
    "…" * 700,  # nothing that the tokenizer knows
    "\U0001d518\U0001d52b " * 90,
    "שלום Ada Lovelace שלום 1999 " * 12,
    "e\u0301te\u0301 Ada Love\u0301lace\r\n" * 30,
    "| a | Ada Lovelace |\n|---|---|\n| 1999 | |\n" * 20,
    "x" * 5000,  # one word, twelve items
    "\ufffd\u200b\u202e\x00\x1b[2J",
]


@pytest.fixture(scope="module")
def predicted(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A project whose model, of seeds, serves as version 1; odd documents, too; then the same model as version 2."""
    place = archive.copy(tmp_path_factory.mktemp("predicted") / "letters")
    place.seeds(60)
    place.add(ODD)
    before = place.run("preannotate")
    trained = place.run("finetune")
    shutil.copytree(place.work.path("candidates/run-1"), place.work.path("serving/1"))
    place.review(place.items(Arm.ASSISTED)[:5])
    first, again = place.run("preannotate"), place.run("preannotate")
    told = place.work.read(Prediction, "predictions.jsonl")
    shutil.copytree(place.work.path("serving/1"), place.work.path("serving/2"))
    other = place.run("preannotate")
    return {
        "place": place,
        "before": before,
        "trained": trained,
        "first": first,
        "again": again,
        "told": told,
        "other": other,
    }


def test_without_a_model_items_are_cut_and_shown_blank(predicted: dict[str, Any]) -> None:
    """Nothing is predicted, and the stage says why."""
    code, report = predicted["before"]

    assert code == 0
    assert report["model"] == "nothing serves yet: items are shown blank"
    assert "predicted" not in report
    assert report["items"] == len(predicted["place"].items())


def test_a_first_model_is_made_of_seeds(predicted: dict[str, Any]) -> None:
    """There are no reviews and nothing serves."""
    assert predicted["trained"][1]["result"] == "trained"
    assert predicted["trained"][1]["examples"] == 60


def test_only_what_waits_for_help_is_predicted(predicted: dict[str, Any]) -> None:
    """Assisted items that nobody has reviewed; none that is held out or blank, and none twice."""
    place, told = predicted["place"], predicted["told"]
    reviewed = {item.id for item in place.items(Arm.ASSISTED)[:5]}

    assert sorted(each.item for each in told) == sorted({item.id for item in place.items(Arm.ASSISTED)} - reviewed)
    assert predicted["first"][1]["predicted"] == len(told)
    assert predicted["first"][1]["items_s"] > 0
    assert predicted["again"][1]["predicted"] == 0
    assert predicted["other"][1]["predicted"] == len(told)


def test_spans_lie_in_the_text_and_say_whose_they_are(predicted: dict[str, Any]) -> None:
    """Within the item, no blank at an end, in order and apart, each with a score; model, run, tokenizer and source."""
    texts = {item.id: item.text for item in predicted["place"].items()}
    card = json.loads(predicted["place"].work.path("serving/1/card.json").read_bytes())
    for each in predicted["told"]:
        text, at = texts[each.item], 0
        for span in each.spans:
            covered = text[span.start : span.end]
            assert at <= span.start < span.end <= len(text)
            assert covered == covered.strip() != ""
            assert span.label in {"NAME", "DATE"}
            assert span.score is not None
            at = span.end
        assert (each.model, each.run, each.source) == ("letters:1", "run-1", "letters@v1")
        assert each.tokenizer_sha256 == card["tokenizer_sha256"]
    assert sum(len(each.spans) for each in predicted["told"]) > 100


def test_most_of_what_is_there_is_found(predicted: dict[str, Any]) -> None:
    """Whole names and dates, also where windows of 46 tokens cut a letter: four in five at least."""
    place = predicted["place"]
    texts = {item.id: item for item in place.items()}
    wrong = found = 0
    for each in predicted["told"]:
        item = texts[each.item]
        truth = {(s.start - item.start, s.end - item.start, s.label) for s in place.truth.get(item.document, [])}
        told = {(s.start, s.end, s.label) for s in each.spans}
        inner = {true for true in truth if true[0] >= 0 and true[1] <= len(item.text)}
        found, wrong = found + len(inner & told), wrong + len(inner - told)

    assert found > 4 * wrong, (found, wrong)


def test_every_document_is_cut_whole(predicted: dict[str, Any]) -> None:
    """Also the odd ones: what is in items.jsonl is what cutting the text gives, in order; blank ones have none."""
    place = predicted["place"]
    for document in place.truth:
        text = place.work.path(f"texts/{document}.txt").read_bytes().decode()
        there = [item for item in place.items() if item.document == document]
        assert there == items(document, text, there[0].arm if there else Arm.TEST, 400)


def test_a_run_that_was_killed_between_two_items_of_a_document_goes_on(
    predicted: dict[str, Any], archive: Archive
) -> None:
    """What is missing of the last document is added, and nothing else."""
    place = archive.copy(predicted["place"].folder.parent / "cut")
    file = place.work.path("items.jsonl")
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    last = json.loads(lines[-1])["document"]
    first = next(number for number, line in enumerate(lines) if json.loads(line)["document"] == last)
    file.write_bytes(b"".join(lines[: first + 1]) + lines[first + 1][:50] if first + 1 < len(lines) else whole[:-9])

    assert place.run("preannotate")[0] == 0
    assert file.read_bytes() == whole


def test_a_model_that_is_not_the_cards_is_not_used(predicted: dict[str, Any]) -> None:
    """A changed byte, and the stage ends with DamagedError's code; nothing is predicted with it."""
    place = predicted["place"].copy(predicted["place"].folder.parent / "damaged")
    model = place.work.path("serving/2/model.onnx")
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    place.work.path("predictions.jsonl").unlink()

    code, error = place.run("preannotate")

    assert code == 20
    assert "not the one that the card names" in error["what"]
    assert not place.work.path("predictions.jsonl").exists()
