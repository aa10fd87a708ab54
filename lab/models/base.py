"""A base model for token classification, small enough for two cores: DistilBERT's architecture, and a little schooling.

Real: the architecture, the files, a cased WordPiece vocabulary with every letter and digit in it. Simulated: what it
has read. A real DistilBERT knows a language; this one was taught to tell made-up names, dates, sums, places, periods
and numbers from business words, in a salad that is in no order that any document has. Without that, forty documents
teach a network nothing but themselves. Runs in the environment label: a minute and a half on one quiet core.

    python lab/models/base.py FOLDER
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKS = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}  # in BERT's order
LETTERS = [chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x180), *range(0x391, 0x3CA), *range(0x410, 0x450))]
SEED, TEXTS, VOCABULARY = 7, 4000, 2000
# Tried from 64 to 192 wide, 2 or 3 layers, 800 to 6,000 steps: smaller learns from no forty documents, larger takes
# minutes more.
WIDTH, LAYERS, HEADS, LONGEST = 128, 2, 2, 512
STEPS, BATCH, RATE, MOST_WORDS = 1500, 16, 2e-3, 40
UNTAUGHT = -100  # torch.nn.CrossEntropyLoss leaves it out
THING = 0.22  # of the words: one that must be told from the others


def listed(text: str) -> list[str]:
    """Its words."""
    return text.split()


WORDS = listed(
    "the a an of to and or in on by with from for under until unless before after between against within this that "
    "each all any no not only is are was be has have shall may must will made paid due held agreed signed limited "
    "governed effective either both party parties agreement contract fee sum deposit notice writing laws courts "
    "disputes duties goods services term date account total invoice bill order delivery payment price tax supplier "
    "customer buyer seller owner liability year month day page section annex copies items boxes see thanks please pay "
    "against late costs period renews itself objects takes over hands later advance refunds go our ours your us we you "
    "it its they"
)
SYLLABLES = listed(
    "al an ar ba ben ber bor bra cas ced del den dor dun el em er fal far fen fox gar gil gor gra hal har hol ing ir "
    "jun kel kes kin lan lin lor mar mel mon nel nor oak or pel quil ran rin ros sal sil sten tan tav tor ul val vel "
    "ver wel wes win wor yar zel hau müll åk ær burg brook field ford gate ham haven ley low mar mere port rook stone "
    "ton ville"
)
FORMS = [*listed("Ltd GmbH Inc. S.p.A. AB B.V. LLP AG SA plc"), "& Co", "& Sons", "Group", "Partners"]
TRADES = listed("Logistics Foods Optics Marine Software Timber Energy Media Capital Systems Textiles Tools Paper Steel")
MONTHS = listed("January February March April May June July August September October November December")
SPELT = listed("one two three four five six seven eight nine ten twelve fifteen eighteen twenty thirty")


def name(chance: random.Random) -> str:
    """Alderbrook."""
    return "".join(chance.choices(SYLLABLES, k=chance.choice([2, 2, 3]))).capitalize()


def company(chance: random.Random) -> str:
    """Alderbrook Foods Ltd; Alderbrook."""
    called = " ".join(name(chance) for _ in range(chance.choice([1, 1, 2])))
    trade, form = chance.choice(TRADES), chance.choice(FORMS)
    return chance.choice([f"{called} {trade} {form}", f"{called} {form}", called])


def date(chance: random.Random) -> str:
    """3 March 2024; 2024-03-03."""
    day, month, year = chance.randint(1, 28), chance.randint(1, 12), chance.randint(1990, 2035)
    spelt = MONTHS[month - 1]
    return chance.choice(
        [
            f"{day} {spelt} {year}", f"{spelt} {day}, {year}", f"{year}-{month:02}-{day:02}",
            f"{day:02}.{month:02}.{year}", f"{day}/{month}/{year}",
        ]
    )  # fmt: skip


def money(chance: random.Random) -> str:
    """EUR 12,500.00; three thousand euros."""
    number = chance.randint(2, 999) * chance.choice([1, 10, 50, 125, 1000])
    code, cents = chance.choice(["EUR", "USD", "GBP", "CHF"]), chance.choice(["", ".00", ".50"])
    return chance.choice(
        [
            f"{code} {number:,}{cents}", f"${number:,}", f"{number:,} €".replace(",", "."), f"{number} euros",
            f"{chance.choice(SPELT)} thousand euros",
        ]
    )  # fmt: skip


def place(chance: random.Random) -> str:
    """Such as: the Canton of Marham, New Fenton."""
    kind = chance.choice(["State", "Canton", "Republic", "Province"])
    one, other = name(chance), name(chance)
    return chance.choice([f"the {kind} of {one}", f"{one} and {other}", f"New {one}", f"the {one}s", one])


def period(chance: random.Random) -> str:
    """24 months; five (5) years; half a year."""
    unit, count, spelt = (
        chance.choice(["day", "week", "month", "year", "hour"]),
        chance.randint(1, 28),
        chance.choice(SPELT),
    )
    return chance.choice(
        [f"{count} {unit}s", f"{spelt} {unit}s", f"{spelt} ({count}) {unit}s", f"a {unit}", f"half a {unit}"]
    )


def number(chance: random.Random) -> str:
    """INV-2024-00317; an account."""
    year, account = chance.randint(1990, 2035), f"{chance.randrange(10**16):016}"
    head = f"{chance.choice(['DE', 'FR', 'ZZ', 'NL'])}{chance.randint(2, 98):02}"
    spaced = " ".join(account[at : at + 4] for at in range(0, 16, 4))
    return chance.choice(
        [
            f"INV-{year}-{chance.randint(0, 99999):05}", f"{year}/{chance.randint(1, 9999)}",
            f"R{chance.randint(0, 999999):06}", f"{head} {spaced}", f"{head}{account}",
        ]
    )  # fmt: skip


THINGS: tuple[Callable[[random.Random], str], ...] = (company, date, money, place, period, number)


def salad(chance: random.Random) -> tuple[str, list[tuple[int, int, int]]]:
    """A text of words and things, and where the things are: start, end, which of THINGS."""
    text, spans = "", []
    for _ in range(chance.randint(3, MOST_WORDS)):
        mark = chance.choices(["", ". ", ", ", "\n\n", ": "], [80, 9, 6, 3, 2])[0]
        text = f"{text.rstrip()}{mark}" if mark and text else text
        if chance.random() < THING:
            kind = chance.randrange(len(THINGS))
            said = THINGS[kind](chance)
            spans.append((len(text), len(text) + len(said), kind))
        else:
            said = chance.choice(WORDS)
            said = said.capitalize() if chance.random() < 0.2 else said
        text += f"{said} "
    return text.rstrip(), spans


def vocabulary() -> Any:
    """A WordPiece tokenizer that has read some salad."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    chance = random.Random(SEED)  # noqa: S311  (the same texts every time is what it is for)
    engine = Tokenizer(models.WordPiece(unk_token=MARKS["unk_token"]))
    engine.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=[*MARKS.values()], initial_alphabet=LETTERS, show_progress=False
    )
    engine.train_from_iterator((salad(chance)[0] for _ in range(TEXTS)), trainer)
    ends = [(mark, engine.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    engine.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return engine


def batches(engine: Any) -> Iterator[tuple[list[list[int]], list[list[int]]]]:
    """Token ids, and what each token is: 0 a word; of thing k, 1 + 2k where it begins and 2 + 2k where it goes on."""
    chance = random.Random(SEED + 1)  # noqa: S311
    for _ in range(STEPS):
        made = [salad(chance) for _ in range(BATCH)]
        read = engine.encode_batch([text for text, _ in made])
        tags = [tagged(each.offsets, spans) for each, (_, spans) in zip(read, made, strict=True)]
        yield filled([each.ids for each in read], 0), filled(tags, UNTAUGHT)


def tagged(offsets: list[tuple[int, int]], spans: list[tuple[int, int, int]]) -> list[int]:
    """A tag for each token; tokens without text are words."""
    tags = [0] * len(offsets)
    for start, end, kind in spans:
        inside = [at for at, (begin, stop) in enumerate(offsets) if begin < stop and begin < end and stop > start]
        for at in inside:
            tags[at] = 2 + 2 * kind - (at == inside[0])
    return tags


def filled(rows: list[list[int]], value: int) -> list[list[int]]:
    """All as long as the longest, none longer than the model reads."""
    longest = min(max(map(len, rows)), LONGEST)
    return [row[:longest] + [value] * (longest - len(row)) for row in rows]


def school(model: Any, engine: Any) -> None:
    """Train a token classifier in place."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    model.train()
    for ids, tags in batches(engine):
        given, true = torch.tensor(ids), torch.tensor(tags)
        model(input_ids=given, attention_mask=(true != UNTAUGHT).long(), labels=true).loss.backward()
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
    model.eval()


def make(folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's files into `folder`."""
    import torch
    from transformers import DistilBertConfig, DistilBertForTokenClassification, PreTrainedTokenizerFast

    torch.set_num_threads(1)  # more wait for one another at this size
    engine = vocabulary()
    PreTrainedTokenizerFast(tokenizer_object=engine, model_max_length=LONGEST, **MARKS).save_pretrained(folder)
    torch.manual_seed(SEED)
    config = DistilBertConfig(
        vocab_size=engine.get_vocab_size(), dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=2 * WIDTH,
        max_position_embeddings=LONGEST, num_labels=1 + 2 * len(THINGS),
    )  # fmt: skip
    model = DistilBertForTokenClassification(config)
    school(model, engine)
    model.distilbert.save_pretrained(folder)  # without the layer that names things: a project brings its own labels


if __name__ == "__main__":
    make(Path(sys.argv[1]))
