"""The four dashboards → JSON files beside this one."""

from __future__ import annotations

from pathlib import Path

from exporters.dashboards.board import as_json
from exporters.gb10.dashboards import fleet, memory, spark, thermals
from exporters.gb10.dashboards.board import SCOPE

HERE = Path(__file__).parent
DASHBOARDS = {"fleet": fleet, "spark": spark, "memory": memory, "thermals": thermals}


def rendered() -> dict[str, str]:
    """File name → the JSON text that belongs there."""
    return {f"{name}.json": as_json(module.dashboard(), SCOPE) for name, module in DASHBOARDS.items()}


if __name__ == "__main__":
    for name, text in rendered().items():
        (HERE / name).write_text(text)
