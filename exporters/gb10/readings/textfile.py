"""The text of a *.prom file → metric families that can stand beside the exporter's own, or why not. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from exporters.web.exposition import TYPES

if TYPE_CHECKING:
    from prometheus_client import Metric

MOST_SAMPLES = 2000
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# The exporter's own, and what Prometheus adds to each scrape.
TAKEN = re.compile(r"sparkfleet_gb10_.*|process_.*|scrape_.*|up|ALERTS.*")


def textfile(text: str) -> dict[str, Metric]:
    """Name → family. ValueError, with the reason, when anything about the text is wrong: it is all or nothing.

    As node_exporter's collector of the same name: no timestamps, each series once, and a last line that is whole.
    """
    if text and not text.endswith("\n"):
        raise ValueError("its last line is cut off")
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text):
        if family.name in found:
            raise ValueError(f"{family.name} stands in two places")
        found[family.name] = family
    if sum(len(family.samples) for family in found.values()) > MOST_SAMPLES:
        raise ValueError(f"it has more than {MOST_SAMPLES} samples")
    for family in found.values():
        check_names(family)
        check_samples(family)
    return found


def check_names(family: Metric) -> None:
    """Raises ValueError for a name that is none, or is not free."""
    for name in names(family):
        if not NAME.fullmatch(name):
            raise ValueError("a metric's name is none")
        if TAKEN.fullmatch(name):
            raise ValueError(f"{name} is a name of the exporter's own")


def check_samples(family: Metric) -> None:
    """Raises ValueError for a sample of a time of its own, and for a second one of a series."""
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
    if len(set(series)) != len(series):
        raise ValueError(f"{family.name} has a series twice")
    if any(sample.timestamp is not None for sample in family.samples):
        raise ValueError(f"{family.name} has a timestamp")


def names(family: Metric) -> set[str]:
    """Every name that the family has in an exposition."""
    return {family.name + TYPES.get(family.type, ("", ""))[1], *(sample.name for sample in family.samples)}
