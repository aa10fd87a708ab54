"""A stack's resources, a month's usage and prices → what each resource costs a month, in USD. Pure.

Nothing is guessed: a price that nobody told for the region makes the line unknown and the total a lower bound, and a
resource that is neither priced nor known to be free is named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sparkfleet.cloud.planned import Planned
from sparkfleet.survey import meters
from sparkfleet.survey.prices import Till

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.model import Fleet
    from sparkfleet.survey.prices import Prices
    from sparkfleet.survey.usage import Usage


@dataclass(frozen=True)
class Line:
    """What one resource costs for one thing. `usd` None: nobody here knows the price."""

    type: str
    name: str
    meter: str
    region: str
    quantity: Decimal
    unit: str
    free: Decimal
    basis: str
    usd: Decimal | None


@dataclass(frozen=True)
class Estimate:
    """A month of the stack. The total is a lower bound unless `complete`."""

    region: str
    lines: list[Line]
    free: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Type → how many of it the stack has, and why they cost nothing."""

    unpriced: list[str] = field(default_factory=list)
    """Resources of types that the prices do not know at all."""

    @property
    def total_usd(self) -> Decimal:
        """The sum of what is known."""
        return sum((line.usd for line in self.lines if line.usd is not None), Decimal(0))

    @property
    def unknown(self) -> list[Line]:
        """The lines without a price."""
        return [line for line in self.lines if line.usd is None]

    @property
    def complete(self) -> bool:
        """Whether everything has a price."""
        return not self.unpriced and not self.unknown


def estimate(
    fleet: Fleet, planned: Iterable[Planned], usage: Usage, prices: Prices, *, free_tier: bool = True
) -> Estimate:
    """A month in the account's region; without an account no resource is rented and there is no line.

    A workspace that was there before is counted, too: the fleet writes to it. Raises ConfigError for a bucket of which
    the usage says nothing.
    """
    account = fleet.cloud.aws if fleet.cloud.provider == "aws" else None
    amp, ours = fleet.monitoring.amp, [each for each in planned if each.type.startswith("aws:")]
    if amp and not any(each.type == meters.WORKSPACE for each in ours):
        ours.append(Planned(meters.WORKSPACE, amp.workspace_id, {}))
    region = account.region if account else amp.region if amp else ""
    till, month, found = Till(prices, free_tier), meters.Month(fleet, usage, ours), Estimate(region, [])
    for each in ours:
        place = amp.region if amp and each.type == meters.WORKSPACE else region
        uses = meters.uses(month, each)
        for meter, quantity, basis in uses or ():
            usd, free = till.charge(meter, quantity, place)
            unit = prices.meters[meter].unit
            found.lines.append(Line(each.type, each.name, meter, place, quantity, unit, free, basis, usd))
        if each.type in prices.free:
            found.free[each.type] = (found.free.get(each.type, (0, ""))[0] + 1, prices.free[each.type])
        elif uses is None:
            found.unpriced.append(f"{each.type} {each.name}")
    return found


def document(found: Estimate, prices: Prices) -> dict[str, Any]:
    """What `--json` holds: figures as numbers, null where nobody knows, and the source of each price."""
    used = {line.meter: prices.meters[line.meter] for line in found.lines}
    return {
        "region": found.region,
        "currency": "USD",
        "grade": "reported",
        "total_usd": float(round(found.total_usd, 4)),
        "complete": found.complete,
        "lines": [_line(line) for line in found.lines],
        "free": [{"type": kind, "count": count, "why": why} for kind, (count, why) in sorted(found.free.items())],
        "unpriced": found.unpriced,
        "prices": {name: {"source": meter.source, "date": meter.date.isoformat()} for name, meter in used.items()},
    }


def _line(line: Line) -> dict[str, Any]:
    usd = None if line.usd is None else float(round(line.usd, 6))
    return asdict(line) | {"quantity": float(line.quantity), "free": float(line.free), "usd": usd}
