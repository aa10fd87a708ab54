"""A seed → an archive with a known truth, and campaigns on it: rounds chosen by the product, labelled by the truth.

As archives are: boilerplate stands in it again and again, and of its terms a few are everywhere and most hardly ever.
The model is a small one (learner.py); all that is chosen, measured and decided is the product's own.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples import sentences
from tests.workloads.label.campaigning import learner
from workloads.label.arms import arm
from workloads.label.campaigning import choice
from workloads.label.learning import scoring
from workloads.label.learning.scoring import Question
from workloads.label.params import Params
from workloads.label.records import Arm, Item, Span
from workloads.label.reviewing.order import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

KIND = sentences.CONTRACTS
LABELS = list(KIND.values)
BATCH = 40
# Defined terms are what archives of contracts are full of: a few everywhere, most of them hardly ever.
TERMS = 300
SYLLABLES = ["va", "lo", "mi", "ra", "tor", "den", "su", "kel", "po", "ri", "nas", "be"]
NEUTRAL = [
    "Where X is named, its annex is meant, too.", "Nothing in here changes X.", "As agreed, X is that of the annex.",
    "Both sides have been told of X.", "X stands as it was.", "See also what is said of X above.",
]  # fmt: skip


def params(**campaign: object) -> Params:
    """A project whose rounds are small."""
    told = {"name": "made-up", "labels": LABELS, "source": {"folder": "."}, "campaign": {"batch": BATCH} | campaign}
    return Params.model_validate(told)


@dataclass
class World:
    """Items that people may be asked about, and what is in every one of them."""

    seed: int
    items: dict[str, Item]
    truth: dict[str, list[Span]]

    def of(self, *arms: Arm) -> list[Item]:
        """Those of some arms."""
        return [item for item in self.items.values() if item.arm in arms]

    def taught(self, names: Iterable[str]) -> learner.Tagger:
        """What is learned from these items, and never from a held-out one."""
        some = [self.items[name] for name in sorted(names) if self.items[name].arm is not Arm.TEST]
        return learner.learned([each.text for each in some], [self.truth[each.id] for each in some], LABELS, self.seed)

    def questions(self, items: Iterable[Item]) -> list[Question]:
        """As the product asks them."""
        return [Question(item.document, item.text, self.truth[item.id]) for item in items]

    def counts(self, model: learner.Tagger, items: Iterable[Item]) -> scoring.Counts:
        """What a model makes of items."""
        asked = self.questions(items)
        return scoring.counts(asked, [model.say(each.text).spans for each in asked], LABELS)

    def f1(self, model: learner.Tagger, items: Iterable[Item]) -> float:
        """Of whole entities, over all labels."""
        return float(scoring.f1(self.counts(model, items).sum(axis=(0, 1))))


def world(seed: int, documents: int = 400, terms: int | None = None, **shares: float) -> World:
    """An archive of so many documents of one to six items each. `terms`: another seed's, otherwise its own."""
    chance = random.Random(f"world {seed}")  # noqa: S311  (the same each time)
    known = defined(random.Random(f"terms {seed if terms is None else terms}"))  # noqa: S311
    made = World(seed, {}, {})
    for number in range(documents):
        name = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
        of = arm("made-up", name, shares.get("test_share", 0.15), shares.get("control_share", 0.1))
        for part in range(chance.randint(1, 6)):
            said = sentences.joined([form(chance, known) for _ in range(chance.randint(2, 4))], " ")
            key = hashlib.sha256(f"{name} {part}".encode()).hexdigest()[:16]
            made.items[key] = Item(id=key, document=name, part=part, start=0, text=said.text, arm=of)
            made.truth[key] = [Span(start=start, end=end, label=label) for start, end, label in said.spans]
    return made


def form(chance: random.Random, terms: Sequence[tuple[str, str]]) -> sentences.Sentence:
    """A sentence: boilerplate, one of the trade's forms, or one whose defined terms tell their label by themselves."""
    kind = chance.choices(["filler", "plain", "further", "neutral"], [3, 2, 1, 4])[0]
    if kind == "neutral":
        words, label = chance.choices(terms, [1 / (place + 3) for place in range(len(terms))])[0]
        return sentences.filled(chance.choice(NEUTRAL).replace("X", f"{{{label}}}" if label else words),
                                {label: lambda _: words}, chance)  # fmt: skip
    values = sentences.in_trade(KIND) if kind == "further" else KIND.values
    return sentences.filled(chance.choice(getattr(KIND, kind)), values, chance)


def defined(chance: random.Random) -> list[tuple[str, str]]:
    """The archive's own terms, the most common first: "the Valmora", and its label, or none."""
    made = []
    for number in range(TERMS):
        word = "".join(chance.choice(SYLLABLES) for _ in range(3)).capitalize()
        made.append((f"the {word}", chance.choice([*LABELS, ""])) if number else ("the Company", "PARTY"))
    return made


@dataclass(frozen=True)
class Step:
    """After a round: how many items were learned from, and the model."""

    learned: int
    model: learner.Tagger


def campaign(of: World, settings: Params, *, active: bool, rounds: int) -> Iterator[Step]:
    """A campaign of so many rounds; `active`: as the product chooses, otherwise as many by chance alone."""
    picked: set[str] = set()
    model: learner.Tagger | None = None
    for _ in range(rounds):
        if active:
            certain = certainty(of, model, picked) if model else {}
            new = [pick.item for pick in choice.choose(of.items.values(), picked, certain, settings, BATCH)]
        else:
            left = [item for item in of.items.values() if item.id not in picked]
            new = [item.id for item in sorted(left, key=drawn)[:BATCH]]
        if not new:
            return
        picked |= set(new)
        model = of.taught(picked)
        yield Step(sum(of.items[name].arm is not Arm.TEST for name in picked), model)


def certainty(of: World, model: learner.Tagger, picked: set[str]) -> dict[str, float]:
    """Of what nobody has seen."""
    return {item.id: model.say(item.text).certainty for item in of.of(Arm.ASSISTED) if item.id not in picked}


def needed(of: World, steps: Iterable[Step], wanted: float) -> float | None:
    """Items learned until F1 on the held-out ones is as great, in a line between rounds; None if it never is."""
    at, score, held = 0.0, 0.0, of.of(Arm.TEST)
    for step in steps:
        now = of.f1(step.model, held)
        if now >= wanted:
            return at + (step.learned - at) * (wanted - score) / (now - score)
        at, score = step.learned, now
    return None
