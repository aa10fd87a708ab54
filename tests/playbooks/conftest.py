"""A fresh machine and an empty tree for each test of a module."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.playbooks.machine import ELSEWHERE, Machine, Tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh machine."""
    for name in ("root", "varlib"):
        (tmp_path / name).mkdir()
    if not shutil.which("unshare") or subprocess.run([*ELSEWHERE, str(tmp_path), "true"], check=False).returncode:
        pytest.skip("no mount namespaces here: the modules would write into this machine's own /var/lib")
    return Machine(tmp_path / "root", tmp_path / "varlib")


@pytest.fixture
def tree(machine: Machine) -> Tree:
    """An empty tree on the machine."""
    return Tree(machine.root)
