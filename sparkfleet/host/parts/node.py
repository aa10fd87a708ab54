"""Fleet, host → what the role node wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import ENVIRONMENT, JOBS, SPARK_NODE, Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet


def node(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The environment in which `spark-node` runs, the project's own package for it, and what starts its verbs."""
    return Parts(
        packages=("python3", "python3-venv"),
        raw={
            "/usr/local/lib/sparkfleet/environment.py": ENVIRONMENT,
            "/usr/local/lib/sparkfleet/jobs.py": JOBS,
        },
        zipapps={"/usr/local/lib/sparkfleet/spark-node.pyz": SPARK_NODE},
        environments=("node",),
    )
