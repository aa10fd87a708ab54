"""usage.toml and what an owner declares over it → how much a fleet uses in a month, and which of it was only assumed.

Pure but for reading files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sparkfleet.errors import ConfigError
from sparkfleet.forms import Described
from sparkfleet.survey.prices import NotNegative, checked, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

DATA = Path(__file__).with_name("usage.toml")


class Bucket(Described):
    """A month of one bucket."""

    stored_gb: NotNegative = Field(description="every version counts")
    objects: NotNegative
    writes: NotNegative = Field(description="PUT, COPY, POST, LIST")
    reads: NotNegative = Field(description="GET and all other requests")
    reads_gb: NotNegative = Field(description="what leaves the bucket")


class Month(Described):
    """A month of the whole fleet; usage.toml has a word on each field."""

    hosts_out_of_aws: bool
    key_requests: NotNegative
    log_gb: NotNegative
    messages: NotNegative
    mails: NotNegative
    series_per_host: NotNegative
    query_billions: NotNegative
    sample_bytes: NotNegative
    amp_retention_days: NotNegative
    buckets: dict[str, Bucket]


@dataclass(frozen=True)
class Usage:
    """`declared`: the paths of what the owner said, such as "buckets.datasets.stored_gb"; the rest is assumed."""

    month: Month
    declared: frozenset[str] = frozenset()

    def basis(self, *paths: str) -> str:
        """Whether figures made of these are the owner's or ours: one assumed part makes the whole assumed."""
        return "declared" if self.declared.issuperset(paths) else "assumed"

    def bucket(self, name: str, *fields: str) -> tuple[list[Decimal], str]:
        """Figures of one bucket, and their basis. Raises ConfigError for a bucket of which nothing is said."""
        found = self.month.buckets.get(name)
        if found is None:
            raise ConfigError([f"buckets.{name}: missing; the stack has such a bucket: say in --usage how it is used"])
        return [getattr(found, each) for each in fields], self.basis(*(f"buckets.{name}.{each}" for each in fields))


def read(declared: Path | None = None) -> Usage:
    """What is assumed, with what `declared` says over it. Raises ConfigError with every fault."""
    assumed = load(DATA)
    said = load(declared) if declared else {}
    merged = _over(assumed, said)
    return Usage(checked(Month, merged, str(declared or DATA)), frozenset(_paths(said)))


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _over(below[key], value) if both else value
    return merged


def _paths(data: Mapping[str, Any], before: str = "") -> list[str]:
    found: list[str] = []
    for key, value in data.items():
        found += _paths(value, f"{before}{key}.") if isinstance(value, dict) else [f"{before}{key}"]
    return found
