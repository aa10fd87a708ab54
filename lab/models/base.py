"""A base model for token classification, small enough for two cores: DistilBERT's architecture, random weights.

Real: the architecture, the files, a WordPiece vocabulary that was trained on generated business sentences, cased, with
every letter and digit in it. Not there: anything learned. Runs in the environment label; the same every time.

    python -m lab.models.base FOLDER
"""

from __future__ import annotations

import calendar
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKS = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}  # in BERT's order
SENTENCES, VOCABULARY, SEED = 4000, 2000, 7
LETTERS = [chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x180), *range(0x391, 0x3CA), *range(0x410, 0x450))]
NAMES = ["Amber", "Birch", "Cedar", "Delta", "Ember", "Falcon", "Garnet", "Harbor", "Indigo", "Juniper", "Kestrel"]
KINDS = ["Ltd", "GmbH", "Inc", "LLC", "Corporation", "Holdings", "Partners", "Systems", "Group", "AG", "SA", "BV"]
MONTHS = [calendar.month_name[number] for number in range(1, 13)]
PLACES = ["England", "Scotland", "Delaware", "California", "Bavaria", "Ontario", "Zurich", "Vienna", "Paris", "Oslo"]
PATTERNS = [
    "This agreement is made on {day} {month} {year} between {name} and {other} .",
    "The supplier {name} shall deliver the goods to the customer {other} within {small} days .",
    "The total amount of {money} EUR is due on {day} {month} {year} ; late payment bears interest .",
    "This contract is governed by the laws of {place} , and the courts of {place} have jurisdiction .",
    "Either party may terminate the agreement by written notice of {small} months .",
    "Invoice number INV-{year}-{number} was issued by {name} on {year}-{month2}-{day} .",
    "Please transfer {money} USD to the account DE{number}{number} of {name} , subtotal and tax included .",
    "| Description | Quantity | Price | Total |\n| {other} service | {small} | {money} | {money} |",
    "The confidential information of {name} shall remain its property for a term of {small} years .",
    "Section {small}.{small} : obligations , liability , warranty , insurance , force majeure and notices .",
]


def sentences() -> Iterator[str]:
    """What the vocabulary is trained on."""
    chance = random.Random(SEED)  # noqa: S311  (the same sentences every time is what it is for)
    for _ in range(SENTENCES):
        yield chance.choice(PATTERNS).format(
            name=f"{chance.choice(NAMES)} {chance.choice(KINDS)}",
            other=f"{chance.choice(NAMES)} {chance.choice(KINDS)}",
            day=chance.randint(1, 28), month=chance.choice(MONTHS), month2=f"{chance.randint(1, 12):02}",
            year=chance.randint(1990, 2030), place=chance.choice(PLACES), small=chance.randint(1, 36),
            number=chance.randint(1000, 99999), money=f"{chance.randint(100, 99999):,}.{chance.randint(0, 99):02}",
        )  # fmt: skip


def make(folder: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's files into `folder`."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

    engine = Tokenizer(models.WordPiece(unk_token=MARKS["unk_token"]))
    engine.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=[*MARKS.values()], initial_alphabet=LETTERS
    )
    engine.train_from_iterator(sentences(), trainer)
    ends = [(mark, engine.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    engine.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    PreTrainedTokenizerFast(tokenizer_object=engine, model_max_length=512, **MARKS).save_pretrained(folder)
    torch.manual_seed(SEED)
    config = DistilBertConfig(
        vocab_size=engine.get_vocab_size(), dim=64, n_layers=2, n_heads=2, hidden_dim=128, max_position_embeddings=512
    )
    DistilBertModel(config).save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
