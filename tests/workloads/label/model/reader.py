"""A line of JSON → what workloads.label.learning says of a text, as a line: for tests, whose Python has no tokenizers.

["words", KIND, TEXT]                                →  [[START, END, TOKEN], …]
["windowed", KIND, [TEXT, …], MOST, OVERLAP, BATCH]  →  of each text's words: the first tokens, as windows told them
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer as Engine
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from workloads.label.learning.model import Reader
from workloads.label.learning.tokens import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRAINED_ON = ["The total of 12.50 EUR is due on 3 May 2026, to Ada Lovelace.", "résumé naïve Straße ﬁne ½ Ⅷ"]
# What tokenizers do to a text: nothing, BERT's folding, compatibility forms, bytes, and pieces with a mark for blanks.
NORMALIZERS = {
    "cased": normalizers.BertNormalizer(lowercase=False, strip_accents=False),
    "uncased": normalizers.BertNormalizer(lowercase=True, strip_accents=True),
    "compatible": normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
    "stripped": normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]),
}


@cache
def tokenizer(kind: str) -> Tokenizer:
    """One of each kind, trained on next to nothing: most characters are unknown to it."""
    engine = Engine(models.BPE() if kind == "bytes" else models.WordPiece(unk_token="[UNK]"))
    special = ["[UNK]", "[CLS]", "[SEP]"]
    if kind == "bytes":
        engine.pre_tokenizer, engine.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        engine.normalizer, engine.pre_tokenizer = NORMALIZERS[kind], pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    engine.train_from_iterator(TRAINED_ON, trainer)
    ends = [(mark, engine.token_to_id(mark)) for mark in special[1:]]
    engine.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        engine.save(str(file))
        return Tokenizer(file)


def words(kind: str, text: str) -> object:
    """The words of a text."""
    return tokenizer(kind).read([text])[0].words


class Echo:
    """A network whose answer about a token is the token itself, given for several batches at the same time."""

    most_tokens, at_once = 30, 3

    def logits(self, windows: Sequence[Sequence[int]]) -> list[Any]:
        """One output."""
        return [np.array(window, np.float32)[:, None] for window in windows]


def windowed(kind: str, texts: list[str], most: int, overlap: int, batch: int) -> object:
    """What comes back of windows through such a network, beside what the tokens are."""
    reader = Reader(tokenizer(kind), Echo(), most, overlap)
    told = [read.logits[:, 0].astype(int).tolist() for read in reader.read(texts, batch)]
    tokens = tokenizer(kind).read(texts)
    return told, [[each.ids[word.token] for word in each.words] for each in tokens]


if __name__ == "__main__":
    for line in sys.stdin:
        name, *rest = json.loads(line)
        asked: Callable[..., object] = words if name == "words" else windowed
        print(json.dumps(asked(*rest)), flush=True)
