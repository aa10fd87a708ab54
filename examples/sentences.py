"""A random generator → sentences as they stand in contracts and invoices, with exactly what is in them. Pure.

A template names its slots by their labels: "{PARTY} pays {AMOUNT}." Seeds, what a project's owner labels to begin
with, know only the plain templates; documents have others, too, and words that only their trade labels so ("the
Lessor" is a PARTY). What the first model misses, people correct.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SLOT = re.compile(r"\{([A-Z]+)\}")
MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]  # fmt: skip
NAMES = [
    "Alderbrook", "Birkenau", "Castellmar", "Dunlowe", "Elmsworth", "Farrowdale", "Greyhaven", "Hollenbeck",
    "Isarwinkel", "Juniperra", "Kestrelby", "Lindenholt", "Marlowen", "Nordquist", "Oakhurst", "Pellaria",
    "Quillfeather", "Rosamund", "Silberbach", "Tavistone", "Ulmenau", "Vellbrook", "Wexcombe", "Yarrowin",
    "Zellerfeld", "Müllerau", "Åkerby", "Ærøvik",
]  # fmt: skip
TRADES = [
    "Logistics", "Foods", "Textiles", "Instruments", "Optics", "Marine", "Timber", "Ceramics", "Software",
    "Foundry",
]  # fmt: skip
FORMS = ["Ltd", "GmbH", "S.p.A.", "Inc.", "AB", "B.V.", "& Sons", "LLP"]
UNUSUAL = 0.45  # of the values in further templates: said as only this trade does
PLACES = [
    "England and Wales", "the Netherlands", "the State of Delaware", "Bavaria", "the Canton of Zurich", "Lombardy",
    "Ontario", "New South Wales", "Sweden", "the Republic of Ireland", "Catalonia", "Brittany",
]  # fmt: skip
NUMBERS = {"two": 2, "three": 3, "five": 5, "six": 6, "ten": 10, "twelve": 12, "eighteen": 18}


@dataclass(frozen=True)
class Sentence:
    """A text and what is in it: (start, end, label), in code points, the end exclusive."""

    text: str
    spans: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """What a project's documents are made of."""

    title: str
    values: dict[str, Callable[[Random], str]]  # by label
    usage: dict[str, list[str]]  # what else they label so in this trade; no seed says it
    plain: list[str]  # templates that the seeds know, too
    further: list[str]  # those that only documents have
    filler: list[str]  # nothing to label, but much that looks like it


def filled(template: str, values: dict[str, Callable[[Random], str]], random: Random) -> Sentence:
    """The template with a value in each slot."""
    text, spans, at = "", [], 0
    for slot in SLOT.finditer(template):
        text += template[at : slot.start()]
        value = values[slot[1]](random)
        spans.append((len(text), len(text) + len(value), slot[1]))
        text, at = text + value, slot.end()
    return Sentence(text + template[at:], spans)


def company(random: Random) -> str:
    """Castellmar Optics GmbH."""
    return f"{random.choice(NAMES)} {random.choice(TRADES)} {random.choice(FORMS)}"


def place(random: Random) -> str:
    """Whose law it is."""
    return random.choice(PLACES)


def date(random: Random) -> str:
    """In one of the ways in which people write one."""
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(2012, 2026)
    name = MONTHS[month - 1]
    ways = f"{day} {name} {year}", f"{name} {day}, {year}", f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}"
    return random.choice(ways)


def amount(random: Random) -> str:
    """EUR 12,500.00."""
    value = random.randint(2, 900) * random.choice([50, 125, 1000])
    ways = f"EUR {value:,}.00", f"${value:,}", f"{value:,} €".replace(",", "."), f"GBP {value:,}", f"CHF {value:,}.50"
    return random.choice(ways)


def term(random: Random) -> str:
    """24 months; five (5) years."""
    unit = random.choice(["days", "weeks", "months", "years"])
    if random.random() < 0.5:
        return f"{random.choice([14, 24, 30, 36, 60, 90])} {unit}"
    word = random.choice(list(NUMBERS))
    return random.choice([f"{word} {unit}", f"{word} ({NUMBERS[word]}) {unit}"])


def number(random: Random) -> str:
    """INV-2024-00317."""
    year, count = random.randint(2018, 2026), random.randint(1, 9999)
    return random.choice([f"INV-{year}-{count:05}", f"{year}/{count}", f"R{count:06}"])


def iban(random: Random) -> str:
    """With right check digits (ISO 13616: the whole, rearranged, is 1 modulo 97), of a country that is none: ZZ."""
    digits = f"{random.randrange(10**16):016}"
    check = 98 - int(f"{digits}353500") % 97  # Z is 35
    whole = f"ZZ{check:02}{digits}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if random.random() < 0.7 else whole


CONTRACTS = Kind(
    "Agreement",
    {"PARTY": company, "DATE": date, "AMOUNT": amount, "JURISDICTION": place, "TERM": term},
    usage={
        "PARTY": ["the Lessor", "the Lessee", "the Carrier", "the Licensee", "the Guarantor"],
        "DATE": ["the Closing Date", "the Cut-off Date", "the first of next month"],
        "AMOUNT": ["a peppercorn", "ten per cent of the price", "the Cap"],
        "JURISDICTION": ["the seat of the Carrier", "the port of loading"],
        "TERM": ["a fortnight", "two harvests", "the Season"],
    },
    plain=[
        "This agreement is made on {DATE} between {PARTY} and {PARTY}.",
        "{PARTY} shall pay {AMOUNT} to {PARTY}.",
        "The term of this agreement is {TERM}.",
        "This agreement is governed by the laws of {JURISDICTION}.",
        "The fee of {AMOUNT} is due on {DATE}.",
    ],
    further=[
        "Either side may end it with {TERM} of notice in writing.",
        "The courts of {JURISDICTION} alone decide what is disputed.",
        "Effective {DATE}, {PARTY} takes over the duties of {PARTY}.",
        "A deposit of {AMOUNT} is held by {PARTY} for {TERM}.",
        "Liability is limited to {AMOUNT} in any year.",
        "It renews itself for {TERM} unless {PARTY} objects before {DATE}.",
        "Goods are handed over in {JURISDICTION} not later than {DATE}.",
        "Late payment costs {AMOUNT} for each begun period of {TERM}.",
    ],
    filler=[
        "Headings are for convenience only.",
        "Section 12 of annex 3 lists 40 items.",
        "The parties have read and understood this document.",
        "Changes are made in writing, on paper or otherwise.",
        "Copies: 2. Pages: 14.",
    ],
)  # fmt: skip
INVOICES = Kind(
    "Invoice",
    {"VENDOR": company, "NUMBER": number, "DATE": date, "TOTAL": amount, "IBAN": iban},
    usage={
        "VENDOR": ["the undersigned", "our house", "the Contractor"],
        "NUMBER": ["our last letter", "order of the day"],
        "DATE": ["month's end", "receipt of goods"],
        "TOTAL": ["the lump sum", "nothing", "the balance"],
        "IBAN": ["our usual account", "the escrow account"],
    },
    plain=[
        "Invoice {NUMBER} of {DATE}, issued by {VENDOR}.",
        "Total due: {TOTAL}.",
        "Please pay to {IBAN}.",
        "{VENDOR} thanks you for your order.",
    ],
    further=[
        "We, {VENDOR}, deliver against this bill no. {NUMBER}.",
        "The sum of {TOTAL} reaches us before {DATE} on account {IBAN}.",
        "Delivered on {DATE} as agreed with {VENDOR}.",
        "Of this, {TOTAL} was paid in advance; see {NUMBER}.",
        "Refunds go from {IBAN} to yours.",
    ],
    filler=[
        "Prices include packing.",
        "Position 3: 40 pieces, 12 boxes.",
        "Goods remain ours until they are paid.",
        "Our offices are closed on Sundays.",
    ],
)  # fmt: skip
KINDS = {"contracts": CONTRACTS, "invoices": INVOICES}


def document(kind: Kind, random: Random) -> list[Sentence]:
    """Four to eight sentences: most of them say something."""
    made = []
    for _ in range(random.randint(4, 8)):
        templates = random.choices([kind.plain, kind.further, kind.filler], [3, 4, 2])[0]
        values = in_trade(kind) if templates is kind.further else kind.values
        made.append(filled(random.choice(templates), values, random))
    return made


def in_trade(kind: Kind) -> dict[str, Callable[[Random], str]]:
    """Values as people of the trade write them: often like everybody, often not."""

    def either(label: str, random: Random) -> str:
        return random.choice(kind.usage[label]) if random.random() < UNUSUAL else kind.values[label](random)

    return {label: partial(either, label) for label in kind.values}


def seeds(kind: Kind, random: Random, count: int) -> list[Sentence]:
    """What an owner labels in an afternoon: plain sentences, now and then two in a row."""
    made = []
    for _ in range(count):
        chosen = random.choices([*kind.plain, *kind.filler[:2]], k=random.choice([1, 1, 2]))
        made.append(joined([filled(template, kind.values, random) for template in chosen], " "))
    return made


def joined(sentences: list[Sentence], between: str) -> Sentence:
    """One after the other."""
    text, spans = "", []
    for each in sentences:
        text += between if text else ""
        spans += [(start + len(text), end + len(text), label) for start, end, label in each.spans]
        text += each.text
    return Sentence(text, spans)
