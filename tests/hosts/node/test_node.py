"""`spark-node` runs in an environment that holds what was locked, and nobody but root can change what it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine


@pytest.mark.control(id="NODE-01", severity="medium", source="sparkfleet")
def test_spark_node_runs(machine: Machine) -> None:
    """`spark-node` runs.

    Its help, shown on the host.
    """
    assert machine.spark_node == "runs", f"`spark-node --help` {machine.spark_node}"


@pytest.mark.control(id="NODE-02", severity="high", source="sparkfleet")
def test_environments_hold_what_was_locked(machine: Machine) -> None:
    """The Python environments of spark-node, of the label loop and of JupyterLab hold exactly what was locked.

    Names and versions as the environment's own Python finds them; the lock has a hash for each.
    """
    for name, wanted in machine.wanted["environments"].items():
        found = set(machine.packages[name])
        strange, missing = found - set(wanted["locked"]), set(wanted["everywhere"]) - found
        assert not strange, f"{name}: not in its lock: {', '.join(sorted(strange)[:5])}"
        assert not missing, f"{name}: missing: {', '.join(sorted(missing)[:5])}"


@pytest.mark.control(id="NODE-03", severity="high", source="sparkfleet")
def test_what_runs_is_roots(machine: Machine) -> None:
    """Only root can change what `spark-node`, the label loop and JupyterLab run.

    Owner and mode of every file of the environments and of the project's own package.
    """
    assert not machine.writable_parts, f"not root's alone: {', '.join(machine.writable_parts)}"
