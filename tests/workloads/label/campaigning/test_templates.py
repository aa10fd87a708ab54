"""Templates with slots: what is filled in is marked to the letter; a rewording keeps every slot, or does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import ConfigError
from workloads.label.campaigning import paraphrase, templates
from workloads.label.items import shown

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["PARTY", "DATE"]
PIECES = st.lists(st.one_of(st.sampled_from(["{PARTY}", "{DATE}"]), st.text(max_size=9)), max_size=8)


@given(PIECES, st.dictionaries(st.sampled_from(LABELS), st.text(max_size=12)))
def test_every_value_is_marked_where_it_stands(pieces: list[str], values: dict[str, str]) -> None:
    """Whatever template and values hold: each span covers a value, in the order of the slots that have one."""
    pieces = [each if each in {"{PARTY}", "{DATE}"} else each.replace("{", "").replace("}", "") for each in pieces]
    text, spans = templates.filled("".join(pieces), lambda label: values.get(label, ""))

    put = [(label, shown(values.get(label, "")).strip()) for label in (p.strip("{}") for p in pieces
            if p.startswith("{"))]  # fmt: skip
    assert [(span.label, text[span.start : span.end]) for span in spans] == [each for each in put if each[1]]


def test_a_file_of_templates_is_refused_with_every_fault(tmp_path: Path) -> None:
    """Each line that is none is named; comments and empty lines are nobody's fault."""
    file = tmp_path / "templates.txt"
    file.write_text("# ours\n\n{PARTY} pays.\n{WHO} pays.\n{PARTY} pays {\n{PARTY} pays.\n")
    with pytest.raises(ConfigError) as told:
        templates.load(file, LABELS)
    assert "line 4: no values for WHO" in told.value.what
    assert "line 5: a brace" in told.value.what
    file.write_text("# ours\n{PARTY} pays.\n{PARTY} pays.\n")
    assert templates.load(file, LABELS) == ["{PARTY} pays."]


@pytest.mark.parametrize(
    "answer",
    ["{PARTY} pays", "{PARTY} pays {PARTY} by {DATE}", "Ada pays by {DATE}", "{PARTY} {DATE}", "{{PARTY}} by {DATE}",
     "{PARTY} pays by {date}", "", "Sure! Here are two:", "{PARTY} pays by {DATE} or {AMOUNT}"],
)  # fmt: skip
def test_a_rewording_that_lost_or_gained_a_slot_does_not_count(answer: str) -> None:
    """A model that says something else has said nothing."""
    assert not paraphrase.usable("{PARTY} pays by {DATE}.", answer)


def test_lines_of_a_list_are_rewordings() -> None:
    """Numbers, bullets and quotation marks are taken off; what is there twice, or is the template, counts once."""
    answer = (
        '1. By {DATE}, {PARTY} pays.\n- "{PARTY} settles by {DATE}."\nBy {DATE}, {PARTY} pays.\n{PARTY} pays by {DATE}.'
    )
    assert paraphrase.usable("{PARTY} pays by {DATE}.", answer) == [
        "By {DATE}, {PARTY} pays.", "{PARTY} settles by {DATE}.",
    ]  # fmt: skip
