"""Metric families → their reference (Markdown), which docs/metrics.md ends with.

`pytest tests/exporters/roi/test_reference.py --update-golden` writes it anew, from a project that has every figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.web.exposition import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

TITLE = "# Metrics of the ROI exporter"
HEAD = f"""\
{TITLE}

Generated from the code: change a help text there, not here.

What the label loop brings and costs, one value a project. What is not known is absent: never 0, never NaN. Every
figure has its n beside it. How each is defined, and what it must not be taken for:
[decision 30](decisions/0030-roi.md). The unit is the end of the name; values are in base units, money in `currency`.

| metric | type | unit | labels | what it says |
|---|---|---|---|---|
"""
UNITS = ("seconds", "ratio")


def page(families: Iterable[Metric]) -> str:
    """The section, in the order of an exposition."""
    return HEAD + "".join(map(row, families))


def row(family: Metric) -> str:
    """One line of the table."""
    kind, suffix = TYPES.get(family.type, (family.type, ""))
    labels = ", ".join(f"`{label}`" for label in dict.fromkeys(x for one in family.samples for x in one.labels))
    unit = next((unit for unit in UNITS if family.name.endswith(f"_{unit}")), "")
    return f"| `{family.name}{suffix}` | {kind} | {unit} | {labels} | {family.documentation} |\n"
