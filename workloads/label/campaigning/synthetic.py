"""A project's templates → made-up examples: their spans exact, their origin written down, never more than their share.

They lie in campaign/synthetic.jsonl for whoever wants to read them, until templates, patterns or seed change. They are
no items, so nobody reviews them, and no test set can hold one.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import TYPE_CHECKING

import faker

from workloads.errors import ConfigError, printable
from workloads.label.campaigning import paraphrase, templates
from workloads.label.learning.examples import Example, most_made_up
from workloads.label.records import Arm, Item, Record, Sha256, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workloads.label.params import Synthetic
    from workloads.label.stages import Context

FILE, WORDINGS = "campaign/synthetic.jsonl", "campaign/paraphrases.jsonl"
TRIES = 20  # for a sentence that there is not yet, before there are no more


class Made(Record):
    """A made-up sentence, and where it comes from."""

    id: Sha256
    text: str
    spans: list[Span]
    template: str
    reworded_by: str  # the language model that worded the template; empty: the project's owner
    generator: str  # Faker's version and locale
    seed: int
    recipe: Sha256  # of all that made it: another one, and all are made anew


def examples(context: Context, real: Sequence[Example], held: Iterable[Item]) -> list[Example]:
    """What may be learned beside these real ones: `share` of all at most, and no text that is held out.

    Raises ConfigError for templates and patterns that cannot be used, ServiceError where the endpoint is silent.
    """
    wanted = context.params.campaign.synthetic if context.params.campaign else None
    if wanted is None or not real:
        return []
    out = {item.text for item in held if item.arm is Arm.TEST} | {each.text for each in real}
    worded = wordings(context, wanted)
    told = context.work.read(Made, FILE)
    # Not made twice: Faker's dates end today, and a training that goes on tomorrow must find what it began with.
    if not told or told[0].recipe != recipe(wanted, worded):
        told = make(wanted, worded)
        context.work.replace(FILE, told)
    return [example(each) for each in told if each.text not in out][: most_made_up(len(real), wanted.share)]


def example(made: Made) -> Example:
    """As it is learned from."""
    return Example(
        item=made.id[:16], document=made.id, text=made.text, spans=made.spans, at=None, synthetic=True,
        generator=made.generator,
    )  # fmt: skip


def wordings(context: Context, wanted: Synthetic) -> list[tuple[str, str]]:
    """Every template with who worded it: the owner's, and those that a language model made of them, once."""
    own = templates.load(context.params.folder / wanted.templates, wanted.values)
    if not wanted.endpoint or not wanted.paraphrases:
        return [(each, "") for each in own]
    kept = context.work.read(paraphrase.Wording, WORDINGS)
    asked = {(each.template, each.model) for each in kept}
    for number, template in enumerate(own, 1):
        if (template, wanted.model) not in asked:
            made = paraphrase.reworded(template, wanted)
            context.work.append(WORDINGS, made)
            kept += made
        context.tell(number, len(own), "templates reworded")
    mine = [each for each in kept if each.template in own and each.model == wanted.model]
    return [(each, "") for each in own] + [(each.text, each.model) for each in mine if each.text]


def recipe(wanted: Synthetic, worded: Sequence[tuple[str, str]]) -> str:
    """Pure: of everything that decides what is made."""
    said = wanted.model_dump_json(include={"values", "locale", "count", "seed"})
    return hashlib.sha256(f"{faker.VERSION} {said} {list(worded)}".encode()).hexdigest()


def make(wanted: Synthetic, worded: Sequence[tuple[str, str]]) -> list[Made]:
    """`count` sentences, all different, or as many as there are; raises ConfigError for a pattern that is none."""
    fake, chance = faker.Faker(wanted.locale), random.Random(wanted.seed)  # noqa: S311  (no secret)
    fake.seed_instance(wanted.seed)
    generator, found = f"faker {faker.VERSION} {wanted.locale}", dict[str, Made]()
    value, of = _values(wanted, fake, chance), recipe(wanted, worded)
    for _ in range(wanted.count):
        for _ in range(TRIES):
            template, by = chance.choice(worded)
            text, spans = templates.filled(template, value)
            if text not in found:
                found[text] = Made(
                    id=hashlib.sha256(text.encode()).hexdigest(), text=text, spans=spans, template=template,
                    reworded_by=by, generator=generator, seed=wanted.seed, recipe=of,
                )  # fmt: skip
                break
    return list(found.values())


def _values(wanted: Synthetic, fake: faker.Faker, chance: random.Random) -> Callable[[str], str]:
    """A label → one of its values, drawn."""

    def value(label: str) -> str:
        pattern = re.sub("#", lambda _: str(chance.randint(0, 9)), chance.choice(wanted.values[label]))
        try:
            return str(fake.parse(pattern))
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                f"campaign.synthetic.values.{label}: {printable(pattern)}: {printable(str(error))}",
                next_step="name providers of Faker in double braces, as in {{company}}, or plain text.",
            ) from None

    return value
