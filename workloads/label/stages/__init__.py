"""The stages of the label loop, one module each; NAME.run(context) does the work and says what it did.

Each runs in a process of its own (python -m workloads.label.stage NAME), with the environment requirements/label.txt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from workloads.label.params import Params
    from workloads.label.site import Site
    from workloads.label.workspace import Workspace

# What a stage did: words and figures in the order in which they are shown. Units are in the names: pages_s, seconds.
Report = dict[str, int | float | str | None]


class Tell(Protocol):
    """Progress: so many of so many things are done; `total` is None while nobody knows."""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Tell it; cheap, may be called often."""


@dataclass(frozen=True)
class Context:
    """What every stage gets. `run` names this run: UTC time and some random digits, sortable."""

    params: Params
    site: Site
    work: Workspace
    run: str
    tell: Tell
