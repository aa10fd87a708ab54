"""The dashboard → the JSON file beside this one."""

from __future__ import annotations

from pathlib import Path

from exporters.dashboards.board import as_json
from exporters.roi.dashboards import loop

FILE = Path(__file__).parent / "roi.json"


def rendered() -> str:
    """The JSON text that belongs there."""
    return as_json(loop.dashboard(), loop.SCOPE)


if __name__ == "__main__":
    FILE.write_text(rendered())
