"""Reviews → a candidate: trained, calibrated on documents kept apart, exported to ONNX; or why there is none.

Nothing is trained when nothing new was learned since the last candidate. A training that was killed goes on from its
last checkpoint, in this run or another, as long as examples and recipe are the same; its candidate appears whole.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from typing import TYPE_CHECKING

from workloads.label.comparing import expiry
from workloads.label.comparing.material import gathered
from workloads.label.comparing.result import chosen, comparisons
from workloads.label.learning import candidates, recipes, serving
from workloads.label.learning.examples import reviewed, seeds, training_sha256, unseen
from workloads.label.records import Item, Review

if TYPE_CHECKING:
    from workloads.label.learning.candidates import Candidate, Recipe
    from workloads.label.learning.examples import Example
    from workloads.label.params import Finetune
    from workloads.label.stages import Context, Report


def run(context: Context) -> Report:
    """Train if there is anything new to learn; raises MissingModelError without a base model, ConfigError for seeds."""
    began, params = time.monotonic(), context.params
    last = candidates.newest(context.work)
    if last and lost(last):
        last = None
    items = context.work.read(Item, "items.jsonl")
    examples = reviewed(items, context.work.read(Review, "reviews.jsonl"))
    first = last is None and len(examples) < params.finetune.least_new_reviews and not serving.served(context)
    if first and params.finetune.seeds:
        examples = seeds(params.folder / params.finetune.seeds, params.labels)
    base = recipes.base_of(context, params.finetune.base)
    recipe = recipes.recipe_of(context, base)
    expiry.expire(context.work, params.compare.keep_days, dt.datetime.now(dt.UTC))
    best = chosen(comparisons(context.work), recipe)
    if best:  # a comparison's settings stay, until project.toml has others than it had then
        if best.base:
            base = recipes.base_of(context, best.base)
            recipe = recipes.recipe_of(context, base)
        recipe = recipe.model_copy(update={"seed": best.seed})
    why_not = nothing_new(examples, recipe, last, params.finetune)
    if last and last.run == context.run:
        why_not = "this run has made its candidate"
    if why_not:  # so what a run left of its training that was killed at its very end is of no use
        shutil.rmtree(context.work.path(candidates.FOLDER, candidates.UNDER_WAY), ignore_errors=True)
        return {"result": f"nothing new: {why_not}", "examples": len(examples)}
    if best:
        examples = gathered(context, [best.mix]).mixed(best.mix)
    elif params.campaign and params.campaign.synthetic:
        from workloads.label.campaigning import synthetic  # brings Faker

        examples += synthetic.examples(context, examples, items)
    # Threads that wait for one another must not keep cores busy that others need: five times the CPU time otherwise.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from workloads.label.learning import making  # brings torch, which takes seconds

    made = making.make(context, examples, recipe, base)
    return {**made, "seconds": round(time.monotonic() - began, 3)}


def lost(last: Candidate) -> bool:
    """Whether its machine died before anybody judged it: then it is trained again, from the same."""
    return not last.here and not (last.folder / candidates.EVALUATION).exists()


def nothing_new(examples: list[Example], recipe: Recipe, last: Candidate | None, settings: Finetune) -> str:
    """Why training would be in vain, or empty. Seeds suffice for a first model; later ones want enough new reviews."""
    if not examples:
        return f"nobody has reviewed anything{'' if settings.seeds else ', and the project has no seeds'}"
    seeded = all(each.at is None for each in examples)
    if last is None:
        enough = seeded or len(examples) >= settings.least_new_reviews
        return "" if enough else f"{len(examples)} reviews, {settings.least_new_reviews} are wanted"
    if recipe != last.recipe:
        return ""
    new = unseen(examples, last.learned)
    if training_sha256(examples) == last.card.training_sha256 or len(new) < settings.least_new_reviews:
        return f"{len(new)} new reviews since the last candidate, {settings.least_new_reviews} are wanted"
    return ""
