"""Facts of a host → known issues: every entry of the matrix does what it says, and what it lacks is unknown."""

from __future__ import annotations

import datetime as dt
import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host.known_issues import UNKNOWN, judge, matrix

GOOD = {
    "kernel": "6.17.0-1021-nvidia",
    "driver": "580.159.03",
    "driver_flavour": "open",
    "cmdline": "BOOT_IMAGE=/boot/vmlinuz ro init_on_alloc=0",
    "dgx_os": "7.5.0",
    "gpu": "10de:2e12",
}
SEVEN = {**GOOD, "kernel": "7.0.0-1019-nvidia", "driver": "580.178.04", "dgx_os": "7.6.0"}
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "kernel": st.sampled_from(["6.17.0-1021-nvidia", "7.0.0-1019-nvidia", "7.1.0-1-nvidia"]) | st.text(max_size=30),
        "driver": st.sampled_from(["580.159.03", "580.178.04", "590.48.01", "470.1"]) | st.text(max_size=20),
        "cmdline": st.sampled_from(["ro", "ro kho=off"]) | st.text(max_size=40),
        "driver_flavour": st.sampled_from(["open", "proprietary"]),
        "dgx_os": st.sampled_from(["7.5.0", "7.6.0"]),
        "gpu": st.sampled_from(["10de:2e12", "10de:2330"]),
    },
)


def found(facts: dict[str, str]) -> dict[str, str]:
    """Id → verdict."""
    return {issue.id: issue.verdict for issue in judge(facts)}


def test_a_combination_that_ran_has_no_issue() -> None:
    """Kernel, driver, command line and release of July 2026."""
    assert judge(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (SEVEN, {"K1": "bad", "kernel-7-freezes": "warn"}),
        ({**SEVEN, "cmdline": "ro kho=off"}, {"kernel-7-freezes": "warn"}),
        ({**SEVEN, "cmdline": "ro kho=offset"}, {"K1": "bad", "kernel-7-freezes": "warn"}),
        ({"cmdline": "ro kho=off"}, {"K2": "warn"}),
        ({"kernel": "6.17.0-1032-nvidia", "driver": "580.173.02"}, {"K3": "warn", "K4": "warn"}),
        ({"driver": "580.173.02"}, {"K4": "warn"}),
        ({"kernel": "6.17.0-1008-nvidia", "driver": "580.126.09"}, {"kernel-6.17.0-1008": "bad"}),
        ({"driver": "570.86.10"}, {"driver-too-old": "bad", UNKNOWN: "unknown"}),
        ({"driver": "590.48.01"}, {"driver-590": "warn", UNKNOWN: "unknown"}),
        ({"driver_flavour": "proprietary"}, {"driver-proprietary": "bad"}),
        ({"kernel": "6.17.0-1014-nvidia"}, {UNKNOWN: "unknown"}),
        ({"kernel": "6.17.0-1021-nvidia-64k"}, {}),
        ({"kernel": "6.17.0-1021-generic"}, {UNKNOWN: "unknown"}),
        ({"kernel": "6.17.0-10210-nvidia"}, {UNKNOWN: "unknown"}),
        ({"gpu": "10de:2330"}, {UNKNOWN: "unknown"}),
    ],
)
def test_each_entry_is_found_by_the_facts_that_it_names(changes: dict[str, str], expected: dict[str, str]) -> None:
    """A trap, the way out of it, and combinations that nobody has told of."""
    assert found({**GOOD, **changes}) == expected


def test_plain_ubuntu_without_a_watchdog_is_told() -> None:
    """The firmware's watchdog resets a machine whose system does not know it; DGX OS does."""
    plain = {key: value for key, value in GOOD.items() if key != "dgx_os"}

    assert found(plain) == {"K10": "warn"}
    assert found({**plain, "watchdog": "SBSA Generic Watchdog"}) == {}


def test_what_the_host_does_not_tell_cannot_be_ruled_out() -> None:
    """Kernel 7 and no command line: unknown, and refused like a bad one."""
    (issue, _) = judge({key: value for key, value in SEVEN.items() if key != "cmdline"})

    assert (issue.id, issue.verdict, issue.refuses) == ("K1", "unknown", True)
    assert "the host does not tell its cmdline" in issue.what


def test_a_host_that_tells_nothing_is_refused() -> None:
    """Neither kernel nor driver."""
    assert found({"dgx_os": "7.5.0"}) == {UNKNOWN: "unknown"}


@given(FACTS)
def test_nothing_passes_but_what_the_matrix_names(facts: dict[str, str]) -> None:
    """Fail closed: without an issue that refuses, kernel and driver stand together in one row, and no bad one holds."""
    if any(issue.refuses for issue in judge(facts)):
        return
    kernel, driver = facts["kernel"], facts["driver"]
    assert any(driver in row.drivers and re.sub("-nvidia(-64k)?$", "", kernel) in row.kernels for row in matrix().known)
    assert not (fnmatchcase(kernel, "7.*") and "kho=off" not in facts.get("cmdline", "").split())
    assert facts.get("driver_flavour") != "proprietary"
    assert facts.get("gpu", "10de:2e12") == "10de:2e12"


@given(FACTS)
def test_the_worst_comes_first(facts: dict[str, str]) -> None:
    """Bad before unknown before warnings; each says what to do next."""
    issues = judge(facts)
    order = [["bad", "unknown", "warn"].index(issue.verdict) for issue in issues]

    assert order == sorted(order)
    assert all(issue.what and issue.next_step and issue.source for issue in issues)


def test_every_entry_has_its_source_and_date() -> None:
    """A date is a day that has been; conditions are of the vocabulary; ids are there once."""
    known, issues = matrix().known, [issue for issue, _ in matrix().issues]
    entries = [(entry.source, entry.date) for entry in known] + [(issue.source, issue.date) for issue in issues]
    words = {"kernel", "driver", "dgx_os", "driver_flavour", "cmdline", "cmdline_without", "without"}

    assert all(source and dt.date.fromisoformat(date) for source, date in entries)
    assert all(when and when.keys() <= words for _, when in matrix().issues)
    assert len({issue.id for issue in issues}) == len(issues)
