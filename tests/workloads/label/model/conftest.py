"""The environment that stages run with, a base model, and a process that reads texts for tests in this one."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lab import environments
from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def label_python() -> Path:
    """Python with requirements/label.txt."""
    return environments.python(environments.ensure("label"))


@pytest.fixture(scope="module")
def ask(label_python: Path) -> Iterator[Callable[..., Any]]:
    """A function of reader.py → its answer, from a process that stays: a property test asks hundreds of times."""
    command = [label_python, "-m", "tests.workloads.label.model.reader"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin
        assert reader.stdout

        def asked(*question: Any) -> Any:
            reader.stdin.write(json.dumps(question) + "\n")
            reader.stdin.flush()
            return json.loads(reader.stdout.readline())

        yield asked
        reader.stdin.close()
