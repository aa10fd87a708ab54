"""Words that nobody should label are known as such; words that somebody wrote are not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.converting import checks
from workloads.label.records import Why

PROSE = (
    "The tenant pays the rent on the third working day of each month, without deduction, to the landlord's account. "
)
SENTENCES = [f"Clause {n}: {a} may {b} the {c} within {n} days." for n, (a, b, c) in enumerate(
    (a, b, c) for a in ("either party", "the tenant", "the landlord") for b in ("end", "amend", "assign")
    for c in ("lease", "deposit", "notice")
)]  # fmt: skip


@given(st.text())
def test_clean_text_can_be_written_and_has_no_control_characters(text: str) -> None:
    """Whatever came out of a document, lone surrogates too."""
    cleaned = checks.clean(text)
    assert cleaned == cleaned.encode().decode()
    assert not any((ord(each) < 32 and each not in "\n\t") or 127 <= ord(each) < 160 for each in cleaned)
    assert checks.clean(cleaned) == cleaned


@pytest.mark.parametrize("period", [1, 3, 12, 40])
def test_a_model_in_a_loop_is_known_whatever_it_repeats(period: int) -> None:
    """One word or a whole paragraph, over and over."""
    words = [f"word{number}" for number in range(period)]
    assert checks.fault(" ".join(words * (2000 // period)), by_model=True) == (Why.POOR, "the model repeats itself")


def test_a_contract_is_no_loop_though_contracts_repeat_themselves() -> None:
    """27 clauses of one mould, and a page of prose."""
    clauses = SENTENCES.copy()
    random.Random(7).shuffle(clauses)  # noqa: S311
    assert checks.fault(" ".join(clauses), by_model=True) is None
    assert checks.fault(PROSE, by_model=True) is None


@pytest.mark.parametrize("text", ["", " \n\t", "...", "— § —"])
def test_text_without_a_letter_or_figure_is_empty(text: str) -> None:
    """Whatever else is on the page."""
    fault = checks.fault(text, by_model=False)
    assert fault
    assert fault[0] == Why.EMPTY


@pytest.mark.parametrize(
    "text", ["Öl und Größe 5 €", "שלום עולם", "合同 编号 7", "e\u0301te\u0301", "🎉 5 people", "ﷺ ½ №"]
)
def test_words_of_any_script_are_fine(text: str) -> None:
    """Right-to-left, combining marks, beyond the basic plane."""
    assert checks.fault(text, by_model=False) is None
    assert checks.clean(text) == text


def test_a_font_without_a_map_is_poor() -> None:
    """Private-use characters and U+FFFD are what PDF readers give for it."""
    fault = checks.fault("a" + "\uf041\uf042\ufffd" * 20, by_model=False)
    assert fault
    assert fault[0] == Why.POOR


@given(st.integers(1, 5000))
def test_a_reader_that_gives_less_than_the_text_layer_has_lost_some(letters: int) -> None:
    """Half is too little; all, with other spaces, is not."""
    assert checks.lost("x" * (letters // 2), letters)
    assert not checks.lost(" ".join("x" * letters), letters)
