"""Reviews → several candidates, trained beside one another; the best of them, with how surely, becomes the newest one.

All are asked about the same held-out documents. What is known of a comparison that was killed is kept: only what is
missing is trained. The best one goes through the gate as any candidate does, but shows its lead at a confidence that is
shared among all that were measured on that set: workloads.label.gate.shared.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from workloads.errors import ConfigError, NodeError
from workloads.label import testset
from workloads.label.comparing import difference, expiry, plan, result, room, workers
from workloads.label.comparing.material import gathered
from workloads.label.comparing.result import FOLDER, MODELS, Comparison, Measured, Said
from workloads.label.comparing.together import MODEL, Task
from workloads.label.learning import candidates, recipes, scoring
from workloads.label.learning.scoring import asked
from workloads.label.params import ALL
from workloads.memguard import memory
from workloads.memguard.config import PROC

if TYPE_CHECKING:
    from workloads.label.comparing.plan import Entry
    from workloads.label.learning.candidates import Recipe
    from workloads.label.stages import Context, Report
    from workloads.label.testset import HeldOut


def run(context: Context) -> Report:
    """Compare, unless that is done. Raises ConfigError where there is nothing to compare, MissingModelError, NodeError.

    A comparison that is done is one whose best candidate is there.
    """
    began, settings, now = time.monotonic(), context.params.compare, dt.datetime.now(dt.UTC)
    gone = expiry.expire(context.work, settings.keep_days, now)
    held = testset.newest(context.work)
    if held is None:
        return {"result": "nothing to compare on: nobody has reviewed a held-out item yet", "expired": gone}
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # see stages.finetune
    from workloads.label.learning import making  # brings torch, which takes seconds

    own, entries = wanted(context, making.versions())
    key = plan.key(entries, held.version)
    done = context.work.one(Comparison, f"{FOLDER}/{key}/{result.FILE}")
    if done and context.work.path(candidates.FOLDER, done.candidate, candidates.RECIPE).exists():
        told = f"nothing new: these {len(entries)} were compared on {held.version}"
        return {"result": told, "best": done.entries[0].name, "run": done.candidate, "expired": gone}
    train(context, entries, held)
    beside, documents = measured(context, entries, held)
    found = Comparison(
        key=key, project=context.params.name, test_set=held.version, items=len(held.items), documents=documents,
        entries=beside, candidate=context.run, instead_of=own, at=now,
    )  # fmt: skip
    best = next(each for each in entries if each.digest == beside[0].digest)
    # Written first: a candidate that appears is known to have been chosen, whenever this process ends.
    context.work.put(f"{FOLDER}/{key}/{result.FILE}", found.model_dump_json(indent=1).encode())
    folder = context.work.path(FOLDER, MODELS, best.digest)
    making.finished(context, making.lesson(best.examples, best.recipe, best.base, folder / MODEL), folder)
    first = found.entries[0]
    return {
        "result": "compared", "candidates": len(entries), "best": first.name, "run": found.candidate,
        "test_set": held.version, "documents": found.documents, "f1": round(first.scores[ALL].f1, 4),
        "f1_low": round(first.scores[ALL].low, 4), "not_told_apart": len(found.open), "expired": gone,
        "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def wanted(context: Context, versions: dict[str, str]) -> tuple[Recipe, list[Entry]]:
    """The project's own recipe, and all entries; raises ConfigError when no two different ones come of project.toml."""
    params = context.params
    own = recipes.recipe_of(context, recipes.base_of(context, params.finetune.base))
    material, entries = gathered(context, params.compare.mixes), []
    for setting in plan.settings(params.compare):
        base = recipes.base_of(context, setting.base or params.finetune.base)
        recipe = recipes.recipe_of(context, base) if setting.base else own
        entries.append(plan.entry(setting, recipe, base, material, versions))
    entries = plan.different([each for each in entries if each.examples])
    if len(entries) < 2:
        raise ConfigError(
            f"compare: there is nothing to compare: {len(entries)} different candidate",
            usually="nobody has reviewed anything yet, or the mixes are all the same without seeds.",
            next_step="review some items, or name more bases, random_seeds or mixes in [compare].",
        )
    return own, entries


def train(context: Context, entries: list[Entry], held: HeldOut) -> None:
    """Those that are missing, and ask those that were not asked about this test set."""
    questions, settings = asked(held), context.params.compare
    tasks = [
        Task(each, context.work.path(FOLDER, MODELS, each.digest), context.params.finetune.save_steps, questions,
             _said(held)) for each in entries
    ]  # fmt: skip
    tasks = [each for each in tasks if not (each.folder / each.said).exists()]
    from workloads.label.learning import loop

    where = room.places(loop.gpus(), os.cpu_count() or 1, memory.read(PROC).available, len(tasks), settings.at_once)
    shares = room.spread([(each, _cost(each)) for each in tasks], len(where))
    done: dict[str, int] = {}
    steps: dict[str, int] = {}

    def tell(digest: str, taken: int, of: int) -> None:
        done[digest], steps[digest] = taken, of
        total = sum(steps.values()) if len(steps) == len(tasks) else None
        over = sum(done[each] == steps[each] for each in done)
        context.tell(sum(done.values()), total, f"steps; {over} of {len(tasks)} candidates are trained")

    workers.run(shares, where, settings.at_once, tell)


def measured(context: Context, entries: list[Entry], held: HeldOut) -> tuple[list[Measured], int]:
    """What they said, beside one another, the best one first; and of how many documents."""
    labels, said = context.params.labels, []
    for each in entries:
        told = context.work.one(Said, f"{FOLDER}/{MODELS}/{each.digest}/{_said(held)}")
        if told is None:
            raise NodeError(f"{each.name} said nothing", usually="somebody removed it while this ran")
        said.append(told)
    counts = [np.array(each.counts, float) for each in said]
    best = difference.best(counts)
    found = [
        Measured(
            digest=entry.digest, name=entry.name, setting=entry.setting, parameters=told.parameters,
            examples=len(entry.examples), synthetic=sum(each.synthetic for each in entry.examples),
            scores=scoring.scores(counted, labels), behind=lead.f1, behind_low=lead.low, behind_high=lead.high,
            chance=lead.chance,
        ) for entry, told, counted, lead in zip(entries, said, counts, difference.leads(counts, best), strict=True)
    ]  # fmt: skip
    first = found.pop(best)
    return [first, *sorted(found, key=lambda each: each.behind)], len(counts[0])


def _said(held: HeldOut) -> str:
    return f"said-{held.version}.json"


def _cost(task: Task) -> int:
    """What a training takes, in no unit: weights times text."""
    size = (task.entry.base / recipes.WEIGHTS).stat().st_size
    return size * sum(len(each.text) for each in task.entry.examples)
