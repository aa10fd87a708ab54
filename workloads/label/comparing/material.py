"""A project's records, sentences and templates → all that may be learned from; nothing of it is held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.label.comparing.plan import Material
from workloads.label.learning.examples import reviewed, seeds
from workloads.label.records import Arm, Item, Review

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloads.label.learning.examples import Example
    from workloads.label.params import Mix
    from workloads.label.stages import Context


def gathered(context: Context, mixes: Iterable[Mix]) -> Material:
    """What these mixes can ask for; raises ConfigError for seeds and templates that cannot be used."""
    params, items = context.params, context.work.read(Item, "items.jsonl")
    real = reviewed(items, context.work.read(Review, "reviews.jsonl"))
    held = {item.text for item in items if item.arm is Arm.TEST}
    labelled: list[Example] = []
    made: list[Example] = []
    if params.finetune.seeds:
        every = seeds(params.folder / params.finetune.seeds, params.labels)
        labelled = [each for each in every if each.text not in held]
    if any(mix.synthetic for mix in mixes):
        from workloads.label.campaigning import synthetic  # brings Faker

        made = synthetic.examples(context, real, items)
    return Material(real, labelled, made)
