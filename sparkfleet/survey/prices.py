"""prices.toml → what a quantity of something costs in a region, or that nobody here knows; the free part counted apart.

Pure but for reading files. All money is USD a month, before tax and discounts, as Decimal.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from sparkfleet.errors import ConfigError
from sparkfleet.forms import Described

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DATA = Path(__file__).with_name("prices.toml")
EVERYWHERE = "*"
OLD_DAYS = 400  # AWS changes list prices about once in some years; older than this they want a look

NotNegative = Annotated[Decimal, Field(ge=0)]
Steps = list[tuple[NotNegative, NotNegative]]
Kind = TypeVar("Kind", bound=Described)


def _rising(value: Decimal | Steps) -> Decimal | Steps:
    """Steps begin at 0 and rise: what lies below the first one would cost nothing in silence."""
    if isinstance(value, list):
        starts = [start for start, _ in value]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("expected steps [from, usd] that begin at 0 and rise")
    return value


class Meter(Described):
    """One thing that is charged, and for how much."""

    what: str
    unit: str
    per: int = Field(default=1, ge=1, description="the price is for so many units")
    free: NotNegative = Decimal(0)
    usd: dict[str, Annotated[NotNegative | Steps, AfterValidator(_rising)]]
    source: str = Field(min_length=10)
    date: dt.date

    def steps(self, region: str) -> Steps | None:
        """The price as steps, whichever way it was written; None where nobody told a price for the region."""
        found = self.usd.get(region, self.usd.get(EVERYWHERE))
        return found if isinstance(found, list) or found is None else [(Decimal(0), found)]


class Prices(Described):
    """The whole file."""

    meters: dict[str, Meter]
    free: dict[str, str] = Field(description="type of a resource → why it costs nothing")


@dataclass
class Till:
    """Adds up a month: free parts and steps are one account's, so what is used is remembered by meter."""

    prices: Prices
    free_tier: bool = True
    used: dict[str, Decimal] = field(default_factory=dict)

    def charge(self, meter: str, quantity: Decimal, region: str) -> tuple[Decimal | None, Decimal]:
        """What `quantity` more costs, None if unknown; and how much of it is free. All of it free is known to be 0."""
        told = self.prices.meters[meter]
        before = self.used.get(meter, Decimal(0))
        after = self.used[meter] = before + quantity
        free = told.free if self.free_tier else Decimal(0)
        for_nothing = max(min(after, free) - before, Decimal(0))
        if for_nothing == quantity:
            return Decimal(0), for_nothing
        steps = told.steps(region)
        if steps is None:
            return None, for_nothing
        return _between(steps, max(before, free), after) / told.per, for_nothing


def _between(steps: Steps, start: Decimal, end: Decimal) -> Decimal:
    """What the units from `start` to `end` cost, each at the price of its step."""
    ends = [begin for begin, _ in steps[1:]] + [max(end, steps[-1][0])]
    parts = [
        (max(min(end, last) - max(start, first), Decimal(0)), usd)
        for (first, usd), last in zip(steps, ends, strict=True)
    ]
    return sum((units * usd for units, usd in parts), Decimal(0))


def old(meters: Mapping[str, Meter], today: dt.date) -> list[str]:
    """The meters whose price nobody looked at for long."""
    return sorted(name for name, meter in meters.items() if (today - meter.date).days > OLD_DAYS)


def read(more: Path | None = None) -> Prices:
    """Our own prices, with those of `more` added or put in their place. Raises ConfigError with every fault."""
    own = load(DATA)
    if more:
        for section, entries in load(more).items():
            if not isinstance(entries, dict) or section not in own:
                raise ConfigError([f"{section}: expected the tables meters and free"], where=str(more))
            own[section] |= entries
    return checked(Prices, own, str(more or DATA))


def load(file: Path) -> dict[str, Any]:
    """A TOML file with exact decimals. Raises ConfigError."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{file}: {error}"]) from None


def checked(kind: type[Kind], data: Mapping[str, Any], where: str) -> Kind:
    """The data as `kind`; raises ConfigError with every fault and its path."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise ConfigError(faults, where=where) from None
