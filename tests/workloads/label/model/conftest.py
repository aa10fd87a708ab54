"""The environment that stages run with, a base model, and a process that reads texts for tests in this one."""

from __future__ import annotations

import json
import random
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from lab import environments, models
from lab.instance import CHECKOUT
from tests.workloads.label.model.archive import Archive, sentence

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


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where the tiny base model lies, in base-model/."""
    return models.ensure()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, label_python: Path, artifacts: Path) -> Archive:
    """Forty letters, cut into items; nobody has reviewed any."""
    archive = Archive(tmp_path_factory.mktemp("model") / "letters", label_python)
    chance = random.Random(7)  # noqa: S311  (the same letters every time)
    archive.begin(artifacts)
    archive.add("\n\n".join(sentence(chance) for _ in range(chance.randint(1, 12))) for _ in range(40))
    assert archive.run("preannotate")[0] == 0
    return archive
