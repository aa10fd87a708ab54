"""Scripts beside this one → the models that the label loop needs, tiny, in the folder that `site.artifacts` names.

Real: every file, every shape, every library that loads them. Simulated: what they know, which each script says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, environments, shell
from lab.progress import silent

if TYPE_CHECKING:
    from lab.progress import Step

SCRIPTS = {  # script: the folder that its files go into, as the product looks for them
    "layout": "docling-project--docling-layout-heron",
    "vision": "ibm-granite--granite-docling-258M",
    "base": "base-model",
}


def ensure(step: Step = silent) -> Path:
    """The folder with all of them: made once for these scripts and this environment, shared by all checkouts."""
    here = Path(__file__).parent
    environment = environments.ensure("label", step)
    texts = [(here / f"{name}.py").read_bytes() for name in SCRIPTS]

    def build(folder: Path) -> None:
        for name, into in SCRIPTS.items():
            (folder / into).mkdir()
            with step(f"model {into}"):
                shell.run(environments.python(environment), here / f"{name}.py", folder / into)

    return cache.once(f"models-{cache.digest(environment.name, *texts)}", build, step)
