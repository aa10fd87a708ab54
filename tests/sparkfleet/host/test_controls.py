"""The compliance pack as a reviewer reads it: every control with its source, none without a way to fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import controls
from sparkfleet.host.sources import PROJECT
from sparkfleet.host.verify_report import SEVERITIES
from tests.e2e.mutations import MUTATIONS, NOT_HERE

if TYPE_CHECKING:
    from pathlib import Path

PAGE = PROJECT / "docs" / "guides" / "compliance.md"
EVERY = controls.controls()
SECTION, RULE = r"\d+(\.\d+){2,4}", r"(sshd|os|package|sysctl)-\d\d[ab]?"
PART = r"{0}( to {0})?( \(deviates\))?"


def test_the_page_is_what_the_pack_says(request: pytest.FixtureRequest) -> None:
    """`--update-golden` writes docs/guides/compliance.md anew; the diff is then read by a person."""
    text = controls.page(EVERY)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(text)
    assert text == PAGE.read_text()


def test_ids_are_unique_and_without_gaps() -> None:
    """A waiver names one control, and a missing number would be a control that somebody took away."""
    for family in controls.FAMILIES:
        numbers = [int(c.id.partition("-")[2]) for c in EVERY if c.family == family]
        assert numbers == list(range(1, len(numbers) + 1)), family


def test_every_control_is_of_a_known_family_severity_and_source() -> None:
    """Sources are sections of CIS, rules of dev-sec, or one of our own two words."""
    assert [c.id for c in EVERY if c.family not in controls.FAMILIES] == []
    assert [c.id for c in EVERY if c.severity not in SEVERITIES] == []
    assert [f"{c.id}: {c.source}" for c in EVERY if not is_source(c.source)] == []


def is_source(text: str) -> bool:
    """CIS with its sections, rules of dev-sec, both with a semicolon between them; or "sparkfleet" or "GB10"."""
    if text in {"sparkfleet", "GB10"}:
        return True
    groups = [
        (SECTION, group.removeprefix("CIS ")) if group.startswith("CIS ") else (RULE, group)
        for group in text.split("; ")
    ]
    return all(re.fullmatch(PART.format(kind), one) for kind, group in groups for one in group.split(", "))


def test_every_control_has_a_mutation_or_a_reason() -> None:
    """Nothing passes only because it cannot fail: tests/e2e/test_drill_mutations.py breaks each of them in turn."""
    broken = {mutation.control.partition("/")[0] for mutation in MUTATIONS}
    assert broken | NOT_HERE.keys() == {control.id for control in EVERY}
    assert broken & NOT_HERE.keys() == set()
    assert {other for m in MUTATIONS for other in m.also} <= {control.id for control in EVERY}


@pytest.mark.parametrize(
    "text",
    [
        "def test_x(machine):\n    '''A claim.\n\n    How.\n    '''\n",
        "@pytest.mark.control(id='X-01', severity='low')\ndef test_x(machine):\n    '''A claim.\n\n    How.\n    '''\n",
        "@pytest.mark.control(id='X-01', severity='low', source='x')\ndef test_x(machine):\n    '''A claim.'''\n",
    ],
    ids=["no mark", "no source", "no how"],
)
def test_a_check_without_words_is_refused(text: str, tmp_path: Path) -> None:
    """A control that a reviewer cannot judge does not get into the page."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "test_x.py").write_text(text)
    with pytest.raises(ValueError, match=r"base/test_x\.py: test_x needs"):
        controls.controls(tmp_path)
