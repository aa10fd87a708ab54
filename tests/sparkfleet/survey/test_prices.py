"""A quantity of something, by region and account → what it costs, or that nobody told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import ConfigError
from sparkfleet.survey import prices
from sparkfleet.survey.prices import Meter, Prices, Till

if TYPE_CHECKING:
    from pathlib import Path

HERE, ELSEWHERE = "eu-central-1", "us-east-1"


def meter(**told: Any) -> Meter:
    """A meter with what a test does not care about filled in."""
    whole = {"what": "things", "unit": "things", "usd": {HERE: 2}, "source": "a test of ours", "date": "2026-11-22"}
    return Meter.model_validate({**whole, **told})


def till(*, free_tier: bool = True, **told: Any) -> Till:
    """A till that knows one meter, `x`."""
    return Till(Prices(meters={"x": meter(**told)}, free={}), free_tier)


def cost(quantity: float | str, **told: Any) -> Decimal | None:
    """What so much of `x` costs here."""
    return till(**told).charge("x", Decimal(str(quantity)), HERE)[0]


def test_a_price_is_for_so_many_units() -> None:
    """5 USD a thousand: 1500 cost 7.50."""
    assert cost(1500, per=1000, usd={HERE: 5}) == Decimal("7.5")


def test_steps_price_each_unit_where_it_lies() -> None:
    """The first ten at 2, the next ten at 1, the rest at a half: 25 cost 32.50."""
    assert cost(25, usd={HERE: [[0, 2], [10, 1], [20, "0.5"]]}) == Decimal("32.5")


def test_what_is_free_counts_before_the_steps() -> None:
    """Free units are the first ones: of 12 with 8 free and steps at 10, two cost 2 and two cost 1."""
    assert cost(12, free=8, usd={HERE: [[0, 2], [10, 1]]}) == 6


def test_a_free_tier_that_others_use_up_is_not_counted() -> None:
    """Without it everything is paid."""
    assert till(free=8, free_tier=False).charge("x", Decimal(8), HERE) == (Decimal(16), Decimal(0))


def test_the_free_part_is_given_once_to_the_whole_account() -> None:
    """Two resources share it: the first takes 6 of 8, the second the 2 that are left."""
    shared = till(free=8)

    assert shared.charge("x", Decimal(6), HERE) == (Decimal(0), Decimal(6))
    assert shared.charge("x", Decimal(6), HERE) == (Decimal(8), Decimal(2))


def test_a_region_without_a_price_is_unknown_and_not_zero() -> None:
    """Nobody's price stands in for another's; what is free everywhere is free there, too."""
    assert cost(1, usd={ELSEWHERE: 2}) is None
    assert cost(9, free=8, usd={ELSEWHERE: 2}) is None
    assert cost(8, free=8, usd={ELSEWHERE: 2}) == 0
    assert cost(1, usd={"*": 2}) == 2


amounts = st.decimals(min_value=0, max_value=10**9, places=3)  # all of it exact in Decimal's 28 digits
rising = st.lists(st.tuples(amounts.filter(bool), amounts), max_size=4, unique_by=lambda step: step[0]).map(sorted)


@given(st.lists(amounts, max_size=6), amounts, amounts, rising)
def test_parts_cost_what_their_sum_costs(
    parts: list[Decimal], free: Decimal, first: Decimal, steps: list[tuple[Decimal, Decimal]]
) -> None:
    """However a month's use is split over resources, the bill is the same; it is never negative."""
    told = {"free": free, "usd": {HERE: [(Decimal(0), first), *steps]}}
    apart, together = till(**told), till(**told)

    charged = [apart.charge("x", part, HERE) for part in parts]
    whole, for_nothing = together.charge("x", sum(parts, Decimal(0)), HERE)

    assert all(usd is not None and usd >= 0 for usd, _ in charged)
    assert sum((usd for usd, _ in charged if usd), Decimal(0)) == whole
    assert sum((part for _, part in charged), Decimal(0)) == for_nothing


def test_each_known_price_has_source_and_date_and_what_is_priced_is_not_free() -> None:
    """The file that is shipped is sound, and says of no type both that it is charged and that it is free."""
    from sparkfleet.survey.meters import RULES

    told = prices.read()

    assert all(each.usd and each.date <= dt.date(2026, 11, 22) for each in told.meters.values())
    assert all(each.startswith("aws:") for each in told.free)
    charged_by_use = {"aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"}
    assert set(told.free) & set(RULES) - charged_by_use == set()


def test_prices_that_nobody_looked_at_for_long_are_named() -> None:
    """From the 401st day on."""
    known = {"x": meter(date="2025-01-01"), "y": meter(date="2026-01-01")}

    assert prices.old(known, dt.date(2026, 2, 5)) == []
    assert prices.old(known, dt.date(2026, 2, 6)) == ["x"]


def test_prices_of_ones_own_replace_and_add(tmp_path: Path) -> None:
    """A meter of the file is taken whole; the others stay."""
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[meters.kms-key]\nwhat = "ours"\nunit = "keys"\nusd = {"*" = 0.9}\nsource = "our contract"\n'
        "date = 2026-11-01\n"
        '[free]\n"aws:x/y:Z" = "in our contract"\n'
    )
    told = prices.read(mine)

    assert told.meters["kms-key"].steps("mars-north-1") == [(Decimal(0), Decimal("0.9"))]
    assert told.meters["s3-storage"] == prices.read().meters["s3-storage"]
    assert "aws:x/y:Z" in told.free


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[meters.x]\nusd = {}\n", "meters.x.source: Field required"),
        ("[surcharge]\nx = 1\n", "surcharge: expected the tables meters and free"),
        ("[meters", "mine.toml: "),
        ('[meters.kms-key]\nwhat="w"\nunit="u"\nsource="0123456789"\ndate=2026-01-01\nusd={a=-1}\n', "greater than or"),
        ('[meters.kms-key]\nwhat="w"\nunit="u"\nsource="0123456789"\ndate=2026-01-01\nusd={a=nan}\n', "finite"),
        (
            '[meters.kms-key]\nwhat="w"\nunit="u"\nsource="0123456789"\ndate=2026-01-01\nusd={a=[[5, 1]]}\n',
            "begin at 0",
        ),
    ],
)
def test_a_file_that_is_no_price_list_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """With the path of what is wrong."""
    mine = tmp_path / "mine.toml"
    mine.write_text(text)

    with pytest.raises(ConfigError) as raised:
        prices.read(mine)
    assert fault in str(raised.value)
