"""Scripts beside this one → the models that the label loop needs, tiny, in the folder that `site.artifacts` names.

Real: every file, every shape, every library that loads them. Simulated: what they know, which each script says.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, environments, shell
from lab.progress import silent

if TYPE_CHECKING:
    from lab.progress import Step

FOLDERS = {  # script: where the product looks for its model
    "layout": "docling-project--docling-layout-heron",
    "vision": "ibm-granite--granite-docling-258M",
    "base": "base-model",
}
HERE = Path(__file__).parent


def ensure(step: Step = silent, names: tuple[str, ...] = tuple(FOLDERS)) -> Path:
    """The folder with these models: each made once for its script and environment, shared by all checkouts."""
    environment = environments.ensure("label", step)
    made = {name: _model(name, environment, step) for name in names}

    def build(folder: Path) -> None:
        for name, model in made.items():
            # Links to files, not to folders: a worker may read nothing outside of the artifacts.
            shutil.copytree(model, folder / FOLDERS[name], copy_function=os.link)

    return cache.once(f"models-{cache.digest(*(model.name for model in made.values()))}", build, step)


def _model(name: str, environment: Path, step: Step) -> Path:
    script = HERE / f"{name}.py"

    def build(folder: Path) -> None:
        with step(f"model {FOLDERS[name]}"):
            # Threads that wait keep no core busy: a minute instead of many where others work, too.
            shell.run(environments.python(environment), script, folder, env={"OMP_WAIT_POLICY": "passive"})

    return cache.once(f"model-{name}-{cache.digest(environment.name, script.read_bytes())}", build, step)
