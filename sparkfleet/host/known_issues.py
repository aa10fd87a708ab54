"""A host's facts → the known issues of its kernel and driver; what nobody has told of is an issue, too.

Pure: the matrix is known_issues.toml, each entry with its source and its date. It knows the GB10 alone.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DATA = Path(__file__).with_name("known_issues.toml")
GB10 = "10de:2e12"  # vendor and device on the PCI bus
# Conditions of an issue that are not patterns of the fact with their name.
WORDS, NO_WORDS, WITHOUT = "cmdline", "cmdline_without", "without"
UNKNOWN = "unknown-combination"

Verdict = Literal["bad", "warn", "unknown"]


@dataclass(frozen=True)
class Issue:
    """One thing that is known, or not known, of a combination. `bad`: it must not run; `warn`: somebody should look."""

    id: str
    verdict: Verdict
    what: str
    next_step: str
    source: str
    date: str

    @property
    def refuses(self) -> bool:
        """Whether no host may be brought to this combination: fail closed, so the unknown counts."""
        return self.verdict != "warn"


@dataclass(frozen=True)
class Known:
    """Kernels (Ubuntu's ABI number, "6.17.0-1021") that ran with each of these drivers."""

    kernels: tuple[str, ...]
    drivers: tuple[str, ...]
    source: str
    date: str


@dataclass(frozen=True)
class Matrix:
    """The data file: what ran, and what is in trouble under which conditions."""

    known: tuple[Known, ...]
    issues: tuple[tuple[Issue, Mapping[str, Sequence[str]]], ...]


@cache
def matrix() -> Matrix:
    """The data file, read once."""
    data = tomllib.loads(DATA.read_text())
    known = tuple(
        Known(tuple(row["kernels"]), tuple(row["drivers"]), row["source"], row["date"]) for row in data["known"]
    )
    issues = tuple((Issue(**{k: v for k, v in row.items() if k != "when"}), row["when"]) for row in data["issue"])
    return Matrix(known, issues)


def judge(facts: Mapping[str, str]) -> list[Issue]:
    """Every issue of the combination that the facts name, the worst first; empty when it is known to run.

    Facts are the probe's: `kernel`, `cmdline`, `driver`, `driver_flavour`, `dgx_os`, `gpu`, `watchdog`. An upgrade puts
    those of the next boot into their place. One that an issue needs and the host does not tell makes it unknown.
    """
    gpu = facts.get("gpu", GB10)
    if gpu != GB10:
        return [_unknown(f"the matrix knows the GB10 alone, this machine has {gpu}")]
    found = [_judged(issue, when, facts) for issue, when in matrix().issues]
    kernel, driver = facts.get("kernel"), facts.get("driver")
    if kernel is None or driver is None:
        missing = " and no ".join(name for name in ("kernel", "driver") if name not in facts)
        found.append(_unknown(f"the host names no {missing}"))
    elif not any(_runs(row, kernel, driver) for row in matrix().known):
        found.append(_unknown(f"nobody has told of kernel {kernel} with driver {driver}"))
    order: list[Verdict] = ["bad", "unknown", "warn"]
    return sorted(filter(None, found), key=lambda issue: order.index(issue.verdict))


def combination(facts: Mapping[str, str]) -> str:
    """Kernel and driver in words, as people compare them."""
    return f"kernel {facts.get('kernel', 'unknown')}, driver {facts.get('driver', 'unknown')}"


def _judged(issue: Issue, when: Mapping[str, Sequence[str]], facts: Mapping[str, str]) -> Issue | None:
    answers = {key: _holds(key, patterns, facts) for key, patterns in when.items()}
    if False in answers.values():
        return None
    if None not in answers.values():
        return issue
    if True not in answers.values() or not issue.refuses:  # nothing speaks for it but silence
        return None
    silent = ", ".join(key.removesuffix("_without") for key, answer in answers.items() if answer is None)
    return Issue(
        issue.id, "unknown", f"cannot be ruled out, the host does not tell its {silent}: {issue.what}",
        issue.next_step, issue.source, issue.date,
    )  # fmt: skip


def _holds(key: str, patterns: Sequence[str], facts: Mapping[str, str]) -> bool | None:
    """Whether a condition holds; None when the host does not tell."""
    if key == WITHOUT:
        return not any(name in facts for name in patterns)
    fact = facts.get(WORDS if key == NO_WORDS else key)
    if fact is None:
        return None
    if key in (WORDS, NO_WORDS):
        return bool({*fact.split()} & {*patterns}) == (key == WORDS)
    return any(fnmatchcase(fact, pattern) for pattern in patterns)


def _runs(row: Known, kernel: str, driver: str) -> bool:
    return driver in row.drivers and is_one_of(kernel, row.kernels)


def is_one_of(kernel: str, numbers: Iterable[str]) -> bool:
    """Whether a kernel's release is NVIDIA's build of one of these ABI numbers; "-nvidia-64k" has larger pages."""
    return any(kernel in (f"{number}-nvidia", f"{number}-nvidia-64k") for number in numbers)


def _unknown(what: str) -> Issue:
    return Issue(
        UNKNOWN, "unknown", what,
        "let it run on one host, then add it to sparkfleet/host/known_issues.toml with your source and the date",
        "no entry of the matrix", "",
    )  # fmt: skip
