"""What Calypso serves of a project → its files here, in serving/<version>/, as they lie in the model repository.

On a machine whose site names no model repository, whatever version was put there by hand counts as serving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.learning.folder import card

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.stages import Context

FOLDER = "serving"


@dataclass(frozen=True)
class Serving:
    """A version that serves."""

    name: str  # as Calypso knows it, contracts:3
    run: str  # that made it
    folder: Path


def served(context: Context) -> Serving | None:
    """The version that serves, fetched unless it is here; None: there is none. Raises as the repository does."""
    project, models = context.params.name, context.site.models
    here = context.work.path(FOLDER)
    if models is None:
        version = max((int(each.name) for each in here.glob("[0-9]*") if each.name.isdecimal()), default=None)
    else:
        from workloads.label.promoting import repository

        version = repository.serving(models, project)
        if version is not None:
            repository.fetch(models, project, version, here / str(version))
    if version is None:
        return None
    return Serving(f"{project}:{version}", card(here / str(version)).run, here / str(version))
