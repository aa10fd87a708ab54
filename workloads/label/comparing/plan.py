"""What project.toml wants and what there is to learn from → the entries of a comparison. Pure.

Every base with every random seed and every mix. An entry is known by all that makes its model what it is, so that one
more seed in project.toml trains one more model, and a comparison that was killed trains none twice.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.learning.examples import most_made_up, training_sha256
from workloads.label.params import Mix
from workloads.label.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from workloads.label.learning.candidates import Recipe
    from workloads.label.learning.examples import Example
    from workloads.label.params import Compare


class Setting(Record):
    """What somebody would write into project.toml to get this model again."""

    base: str  # a folder, as it stands there; empty: finetune's
    seed: int
    mix: Mix


@dataclass(frozen=True)
class Entry:
    """One candidate of a comparison."""

    setting: Setting
    recipe: Recipe
    base: Path
    examples: list[Example]
    digest: str  # of recipe, examples and libraries: the same one, the same model

    @property
    def name(self) -> str:
        """For people: "base-model, seed 7, reviews + seeds"."""
        return f"{self.recipe.base}, seed {self.setting.seed}, {self.setting.mix}"


@dataclass(frozen=True)
class Material:
    """All that may be learned from; nothing of it is held out."""

    reviewed: list[Example]
    seeds: list[Example]
    made_up: list[Example]

    def mixed(self, mix: Mix) -> list[Example]:
        """The reviews, and what the mix adds to them; of more made-up ones the fewer are the first."""
        real = [*self.reviewed, *(self.seeds if mix.seeds else [])]
        return [*real, *self.made_up[: most_made_up(len(real), mix.synthetic)]]


def settings(compare: Compare) -> list[Setting]:
    """All of them, in the order of project.toml: of equals the first one is the best."""
    bases = [str(each) for each in compare.bases] or [""]
    return [
        Setting(base=base, seed=seed, mix=mix)
        for base, mix, seed in itertools.product(bases, compare.mixes, compare.random_seeds)
    ]


def entry(setting: Setting, recipe: Recipe, base: Path, material: Material, versions: Mapping[str, str]) -> Entry:
    """One of them; `recipe` is that of a fine-tune with this base."""
    recipe, examples = recipe.model_copy(update={"seed": setting.seed}), material.mixed(setting.mix)
    made_of = f"{recipe.model_dump_json()}\0{training_sha256(examples)}\0{sorted(versions.items())}"
    return Entry(setting, recipe, base, examples, hashlib.sha256(made_of.encode()).hexdigest())


def different(entries: Sequence[Entry]) -> list[Entry]:
    """Without those that would be the same model under another name: no seeds to add, nothing made up."""
    found: dict[str, Entry] = {}
    for each in entries:
        found.setdefault(each.digest, each)
    return list(found.values())


def key(entries: Sequence[Entry], test_set: str) -> str:
    """What a comparison of these on that test set is called."""
    return hashlib.sha256("\0".join([test_set, *sorted(each.digest for each in entries)]).encode()).hexdigest()[:16]
