"""Metric families → Prometheus' text format 0.0.4, byte for byte as prometheus_client writes it, but faster.

`generate_latest` checks and escapes every name and label of every sample anew. Here what never changes between two
scrapes (a family's head, a series' name and labels) is made once and remembered.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.exposition import UNDERSCORES, escape_label_name, escape_metric_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Types of OpenMetrics → what the text format 0.0.4 calls them, and what it appends to the family's name.
TYPES = {
    "counter": ("counter", "_total"),
    "info": ("gauge", "_info"),
    "stateset": ("gauge", ""),
    "gaugehistogram": ("histogram", ""),
    "unknown": ("untyped", ""),
}
APART = ("_created", "_gcount", "_gsum")  # samples of OpenMetrics that become gauges of their own after the family
WORDS = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
MILLION = 1e6
REMEMBERED = 4096  # series; beyond it the longest unused are forgotten, so labels that come and go cost no memory


def exposition(families: Iterable[Metric]) -> str:
    """The families, in their order. Samples with timestamps of their own have them in milliseconds."""
    parts: list[str] = []
    for family in families:
        name = family.name
        kind, suffix = TYPES.get(family.type, (family.type, ""))
        parts.append(head(name + suffix, kind, family.documentation))
        apart: dict[str, list[str]] = {}
        for sample in family.samples:
            sample_name, labels, value, timestamp = sample[:4]
            into = parts
            if sample_name.endswith(APART) and sample_name.removeprefix(name) in APART:
                into = apart.setdefault(sample_name.removeprefix(name), [])
            line = series(sample_name, tuple(labels.items())) + number(value)
            into.append(f"{line}\n" if timestamp is None else f"{line} {int(float(timestamp) * 1000):d}\n")
        for rest in sorted(apart):
            parts.append(head(name + rest, "gauge", family.documentation))
            parts.extend(apart[rest])
    return "".join(parts)


@lru_cache(REMEMBERED)
def head(name: str, kind: str, documentation: str) -> str:
    """The two lines before a family's samples."""
    name = escape_metric_name(name, UNDERSCORES)
    documentation = documentation.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n"


@lru_cache(REMEMBERED)
def series(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """All of a sample's line but its value."""
    name = escape_metric_name(name, UNDERSCORES)
    if not labels:
        return f"{name} "
    pairs = (f'{escape_label_name(key, UNDERSCORES)}="{escape_label_value(value)}"' for key, value in sorted(labels))
    return f"{name}{{{','.join(pairs)}}} "


def escape_label_value(value: str) -> str:
    """A label's value between the quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """A value as Go prints it: from a million on that is not as Python does."""
    text = repr(float(value))
    if -MILLION < value < MILLION:
        return text
    if text in WORDS:
        return WORDS[text]
    whole, point, rest = text.partition(".")
    if value < 0 or not point or len(whole) == 1:  # Python has used an exponent itself, or Go is as Python
        return text
    return f"{whole[0]}.{whole[1:]}{rest}".rstrip("0.") + f"e+{len(whole) - 1:02d}"
