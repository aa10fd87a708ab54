"""The dashboard's file → its panels, and each query with the unit that its answer is shown in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporters.roi.dashboards.__main__ import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

BOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


@dataclass(frozen=True)
class Asked:
    """One query of one panel, with the unit that the panel gives its answer."""

    panel: str
    letter: str
    expression: str
    unit: str

    def __str__(self) -> str:
        """How the test of it is called."""
        return f"{self.panel} {self.letter}"


def asked() -> Iterator[Asked]:
    """Every query of every panel."""
    for panel in PANELS:
        for target in panel.get("targets", []):
            letter = target["refId"]
            unit = panel["fieldConfig"]["defaults"].get("unit")
            for override in panel["fieldConfig"].get("overrides", []):
                if override["matcher"]["options"] == f"Value #{letter}":
                    unit = next(p["value"] for p in override["properties"] if p["id"] == "unit")
            yield Asked(panel["title"], letter, target["expr"], unit)


QUERIES = list(asked())


def filled_in(text: str, project: str = "contracts") -> str:
    """A query for one project."""
    text = text.replace("$project", project)
    assert "$" not in text, text
    return text
