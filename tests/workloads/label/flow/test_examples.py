"""Both example projects: what lies in the repository is what their generator makes, and their truth can be found."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import make, sentences, truth
from tests.workloads.label.flow.projects import CHECKOUT
from workloads.label import params

if TYPE_CHECKING:
    from pathlib import Path

KINDS = sorted(sentences.KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_a_project(kind: str) -> None:
    """It loads; its labels are those of its labelling config and of its sentences; its seeds are the generator's."""
    folder = CHECKOUT / "examples" / kind
    project = params.load(folder)
    shown = re.findall(r'<Label value="(\w+)"', (folder / project.publish.config).read_text())

    assert project.labels == shown == list(sentences.KINDS[kind].values)
    assert (folder / "seeds.jsonl").read_text() == make.seeds(kind)


def test_a_larger_archive_holds_the_smaller_one(tmp_path: Path) -> None:
    """The same seed gives the same bytes; more documents are added, none changes; the truth lies outside."""
    make.documents("contracts", tmp_path / "few", 12, 7)
    make.documents("contracts", tmp_path / "many", 40, 7)
    few, many = (
        {each.relative_to(tmp_path / name).as_posix(): each.read_bytes() for each in (tmp_path / name).rglob("*.*")}
        for name in ("few", "many")
    )

    assert (len(few), len(many)) == (12, 40)
    assert few.items() <= many.items()
    assert {name.rpartition(".")[2] for name in many} == {"pdf", "docx", "html", "csv", "md", "txt"}
    assert b"" in many.values()
    assert (tmp_path / "few.truth.jsonl").exists()


@given(st.sampled_from(KINDS), st.integers(1, 10**6), st.sampled_from([" ", "\n", " \n ", "\t", "\r\n"]))
def test_truth_is_found_however_a_converter_breaks_lines(kind: str, seed: int, space: str) -> None:
    """Each sentence's spans stand in the shown text, and are the same words."""
    said = sentences.document(sentences.KINDS[kind], random.Random(seed))  # noqa: S311  (no secret)
    shown = f"A heading{space}" + space.join(each.text.replace(" ", space) for each in said)
    wanted = {" ".join(each.text[start:end].split()) for each in said for start, end, _ in each.spans}

    found = truth.spans([truth.Known(each.text, each.spans) for each in said], shown)

    assert {" ".join(shown[start:end].split()) for start, end, _ in found} == wanted
    assert {label for *_, label in found} == {label for each in said for *_, label in each.spans}


@given(st.integers(0, 10**6))
def test_account_numbers_have_right_check_digits(seed: int) -> None:
    """ISO 13616: rearranged and read as a number they are 1 modulo 97."""
    number = sentences.iban(random.Random(seed)).replace(" ", "")  # noqa: S311  (no secret)

    assert int("".join(str(int(digit, 36)) for digit in number[4:] + number[:4])) % 97 == 1
