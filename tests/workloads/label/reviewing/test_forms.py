"""Our records to Label Studio's JSON and back: what an export says of us is what was meant."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workloads.label import items as cutting
from workloads.label.records import Arm, Item, Prediction, Span
from workloads.label.reviewing import forms, labelling

LABELS = ["PARTY", "DATE"]
LABELLING = labelling.parse(
    '<View><Labels name="label" toName="text"><Label value="PARTY"/><Label value="DATE"/></Labels>'
    '<Text name="text" value="$text"/></View>',
    LABELS,
    Path("labels.xml"),
)
AT = "2026-11-21T21:04:40.030083Z"
# What shifts offsets elsewhere: astral and combining characters, both directions, blanks of all kinds, tables, markup.
PIECES = st.sampled_from(
    [
        "Ada", " ", "\n", "\t", "\U0001f600", "\U0001f469\u200d\U0001f467", "e\u0301", "שלום", "اسم", "हिन्दी",
        "\u00a0", "\u200b", "\u2028", "\ufeff", "| a |", "<b>", "&amp;", "\U0001d4b3",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(min_size=1, max_size=60), st.lists(PIECES, min_size=1, max_size=20).map("".join))


@st.composite
def marked(draw: st.DrawFn) -> tuple[Item, list[Span]]:
    """An item, and stretches of it that begin and end with something one can see."""
    text = cutting.shown(draw(TEXTS)).strip() or "x"
    spans = {}
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        if text[start:end] == text[start:end].strip():
            span = Span(start=start, end=end, label=draw(st.sampled_from(LABELS)), score=0.5)
            spans[start, end, span.label] = span
    item = Item(id="0" * 16, document="0" * 64, part=0, start=0, text=text, arm=Arm.ASSISTED)
    return item, [spans[key] for key in sorted(spans)]


def predicted(item: Item, spans: list[Span], model: str = "m:1") -> dict[str, Any]:
    """The form of a prediction, as it comes back."""
    told = Prediction(
        item=item.id, model=model, run="r", tokenizer_sha256="0" * 64, source="s", spans=spans, certainty=0.5,
        at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip
    return {"id": 5, "task": 7, **json.loads(json.dumps(forms.predicted(item, told, LABELLING)))}


def exported(item: Item, result: list[dict[str, Any]], **different: Any) -> dict[str, Any]:
    """A task as an export has it, with one annotation."""
    annotation = {
        "id": 9, "completed_by": 3, "result": result, "was_cancelled": False, "updated_at": AT, "lead_time": 4.5,
        "prediction": {}, "parent_prediction": None, **different,
    }  # fmt: skip
    return {"id": 7, "data": forms.task(item, "a.txt", None, LABELLING)["data"], "annotations": [annotation]}


def read(entry: dict[str, Any], item: Item, shown: dict[int, Any] | None = None) -> forms.Read:
    """What we make of it."""
    return forms.reviews([entry], {item.id: item}, LABELS, LABELLING, shown or {})


@given(marked())
def test_what_is_sent_is_what_comes_back(told: tuple[Item, list[Span]]) -> None:
    """Any text, any stretches: the text at each offset is the one that was meant, and all comes back unchanged."""
    item, spans = told
    form = predicted(item, spans)

    review = read(exported(item, form["result"], prediction=form), item).reviews[0]

    assert [each["value"]["text"] for each in form["result"]] == [item.text[span.start : span.end] for span in spans]
    assert review.shown == spans
    assert review.spans == [span.model_copy(update={"score": None}) for span in spans]
    assert (review.model, review.reviewer, review.skipped, review.lead_time_s) == ("m:1", 3, False, 4.5)


@given(st.text(alphabet=" \n\t", max_size=4), st.text(alphabet=" \n\t", max_size=4))
def test_blanks_at_the_ends_of_a_mark_do_not_count(before: str, after: str) -> None:
    """A hasty mouse takes blanks along; two people who mean the same have marked the same."""
    item = Item(id="0" * 16, document="0" * 64, part=0, start=0, text=f"a{before}Ada{after}b", arm=Arm.TEST)
    wide = forms.stretch(item.text, Span(start=1, end=len(item.text) - 1, label="PARTY"), LABELLING, "r")

    spans = read(exported(item, [wide]), item).reviews[0].spans

    assert [item.text[span.start : span.end] for span in spans] == ["Ada"]


ADA = Item(id="1" * 16, document="0" * 64, part=0, start=0, text="Ada pays.", arm=Arm.ASSISTED)
MARK = forms.stretch(ADA.text, Span(start=0, end=3, label="PARTY"), LABELLING, "r")


def test_marks_that_fit_nothing_are_left_out_and_counted() -> None:
    """A label that the project no longer has, an offset beyond the text, another control: none becomes a span."""
    strange = [
        {**MARK, "value": {**MARK["value"], "labels": ["GONE"]}},
        {**MARK, "value": {**MARK["value"], "end": 99}},
        {**MARK, "value": {**MARK["value"], "labels": []}},
        {"type": "choices", "from_name": "mood", "value": {"choices": ["sad"]}},
    ]

    found = read(exported(ADA, [MARK, *strange]), ADA)

    assert [(span.start, span.end) for span in found.reviews[0].spans] == [(0, 3)]
    assert found.left_out == {"marks that fit no label or text": 3}


def test_tasks_that_are_not_ours_are_left_out() -> None:
    """Somebody may add tasks by hand, or change a text: its offsets are of another text then."""
    changed = exported(ADA, [MARK])
    changed["data"]["text"] = "Ada paid."

    found = forms.reviews([exported(ADA, []), changed], {ADA.id: ADA}, LABELS, LABELLING, {})
    foreign = forms.reviews([exported(ADA, [])], {}, LABELS, LABELLING, {})

    assert (len(found.reviews), found.left_out) == (1, {"tasks whose text was changed": 1})
    assert (foreign.reviews, foreign.left_out) == ([], {"tasks that are not ours": 1})


def test_a_skipped_task_says_nothing_of_its_text() -> None:
    """Whatever was marked before somebody gave up."""
    review = read(exported(ADA, [MARK], was_cancelled=True), ADA).reviews[0]

    assert (review.skipped, review.spans) == (True, [])


def test_the_prediction_that_counts_is_the_one_that_was_on_the_screen() -> None:
    """Label Studio freezes the newest model's; who opened the page before it came saw another."""
    old, new = predicted(ADA, [Span(start=0, end=3, label="PARTY", score=0.5)]), predicted(ADA, [], "m:2")
    entry = exported(ADA, [MARK], prediction={**new, "id": 6}, parent_prediction=5)

    assert forms.misattributed([entry]) == {5}
    assert read(entry, ADA, {5: old}).reviews[0].model == "m:1"
    assert read(entry, ADA, {5: {**old, "task": 8}}).reviews[0].model == "m:2"
    assert forms.misattributed([exported(ADA, [], prediction=old, parent_prediction=5), exported(ADA, [])]) == set()


def test_nobody_is_told_what_an_item_is_for() -> None:
    """A held-out task looks like any other blank one."""
    task = forms.task(ADA.model_copy(update={"arm": Arm.TEST}), "a.txt", None, LABELLING)

    assert task == {"data": {"text": "Ada pays.", "document": "a.txt", "part": 0, "item": ADA.id}}
