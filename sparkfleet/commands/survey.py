"""`spark survey`: reports for people who decide. `cost`: the description, usage and prices → a month's bill."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkfleet import errors

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.table import Table

    from sparkfleet.cli import Project
    from sparkfleet.model import Fleet
    from sparkfleet.survey.cost import Estimate
    from sparkfleet.survey.prices import Prices

PIPE_WIDTH = 240  # columns; what reads a pipe wraps as it likes
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def survey() -> None:
    """Report what a fleet needs and costs; changes nothing.

    \b
    Example: spark survey cost
    """  # noqa: D301


@survey.command()
@click.option(
    "--usage", "usage_file", metavar="FILE", type=FILE, help="How much a month uses, in TOML; any part of it."
)
@click.option("--prices", "prices_file", metavar="FILE", type=FILE, help="Prices of yours, over those that are known.")
@click.option("--without-free-tier", is_flag=True, help="As if others in the account used up what is free.")
@click.option("--print-usage", is_flag=True, help="Print the usage that is assumed, to begin a file with.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def cost(  # noqa: PLR0913  (one parameter an option)
    project: Project,
    *,
    usage_file: Path | None,
    prices_file: Path | None,
    without_free_tier: bool,
    print_usage: bool,
    as_json: bool,
) -> int:
    """Estimate what the stack costs in AWS a month.

    Needs no account: it asks the program which resources it would make. Prices are list prices that others reported,
    each with its date; one that nobody reported for the region is a question mark, never 0.

    \b
    Example: spark --stack example-aws survey cost
             spark survey cost --print-usage > usage.toml; spark survey cost --usage usage.toml
    """  # noqa: D301
    from sparkfleet.survey import prices, usage

    if print_usage:
        click.echo(usage.DATA.read_text(encoding="utf-8"), nl=False)
        return errors.OK
    from sparkfleet.survey.cost import document, estimate

    fleet, told = project.fleet(), prices.read(prices_file)
    month = usage.read(usage_file)
    planned = []
    if fleet.cloud.provider == "aws":
        from sparkfleet.cloud.rehearse import rehearse

        planned = rehearse(fleet)
    found = estimate(fleet, planned, month, told, free_tier=not without_free_tier)
    if as_json:
        click.echo(json.dumps(document(found, told), indent=2))
    else:
        show(fleet, found, told, free_tier=not without_free_tier)
    return errors.OK


def show(fleet: Fleet, found: Estimate, prices: Prices, *, free_tier: bool) -> None:
    """The table, the total, and what one has to know to read them."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if not found.lines and not found.unpriced:
        console.print(f"cloud.provider {fleet.cloud.provider}: nothing of this stack is rented, so nothing is charged")
        return
    console.print(_table(found))
    least = "" if found.complete else "at least "
    console.print(
        f"a month in {found.region}: {least}{_usd(found.total_usd)} (mocked resources, reported prices)", style="bold"
    )
    for words in _notes(fleet, found, prices, free_tier=free_tier):
        console.print(f"· {words}", markup=False)


def _table(found: Estimate) -> Table:
    """One line a resource and meter."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("resource", "name", "charged for"):
        table.add_column(heading)
    for heading in ("quantity", "of it free", "USD"):
        table.add_column(heading, justify="right")
    table.add_column("basis")
    for line in found.lines:
        price = Text("?", "bold yellow") if line.usd is None else Text(f"{line.usd:.2f}")
        free = _number(line.free) if line.free else "-"
        kind = line.type.rpartition(":")[2]
        table.add_row(
            kind, Text(line.name), line.meter, f"{_number(line.quantity)} {line.unit}", free, price, line.basis
        )
    return table


def _notes(fleet: Fleet, found: Estimate, prices: Prices, *, free_tier: bool) -> list[str]:
    """What is missing, what was taken for granted, and how old the prices are."""
    import datetime as dt

    from sparkfleet.survey.prices import old

    meters = {line.meter: prices.meters[line.meter] for line in found.lines}
    unknown = dict.fromkeys((line.meter, line.region) for line in found.unknown)
    notes = [f"no price for {meter} in {region}: --prices FILE adds it" for meter, region in unknown]
    notes += [f"nobody told a price for {each}" for each in found.unpriced]
    if any(line.free for line in found.lines) and free_tier:
        notes.append("free quantities are the account's, every month: nothing else there is taken to use them")
    notes.append("assumed quantities are usage.toml's: --print-usage shows them, --usage FILE replaces them")
    notes.append(
        "before tax and discounts; storage as S3 Standard; a key costs as much again after its 1st and 2nd rotation"
    )
    dates = sorted(meter.date for meter in meters.values())
    notes.append(f"prices of {dates[0]} to {dates[-1]}, reported: --json has the source of each")
    if stale := old(meters, dt.datetime.now(dt.UTC).date()):
        notes.append(f"nobody looked at these prices for more than a year: {', '.join(stale)}")
    account = fleet.cloud.aws
    if account and account.budget_usd is not None and found.total_usd > account.budget_usd:
        notes.append(f"that is more than the budget of {account.budget_usd} USD (cloud.aws.budget_usd)")
    if found.free:
        count = sum(count for count, _ in found.free.values())
        notes.append(f"{count} more resources cost nothing by themselves: --json says why")
    return notes


def _usd(amount: Decimal) -> str:
    return f"{amount:.2f} USD"


def _number(quantity: Decimal) -> str:
    return f"{quantity:,.0f}" if quantity >= 100 or quantity == quantity.to_integral_value() else f"{quantity:,.2f}"
