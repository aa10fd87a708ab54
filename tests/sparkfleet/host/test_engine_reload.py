"""The engine's start, its containers, its settings' date → a restart, a reload or nothing; programs stand in for it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import engine_reload

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = "ActiveState=active\nActiveEnterTimestamp=@1000\n"


class Engine:
    """Fake `systemctl` and `docker` that write down what they were told to do."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, folder / "daemon.json"
        self.settings.write_text("{}")

    def program(self, name: str, script: str) -> None:
        """Put a program on the PATH."""
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def reload(self, shown: str, containers: str, written_s: float, then: str = ":") -> tuple[int, list[str], str]:
        """Run the program: its code, what it told systemctl, and what it said. `then` follows each order."""
        calls = self.folder / "calls"
        calls.write_text("")
        self.program("systemctl", f'case $1 in show) printf "{shown}";; *) echo "$*" >> {calls}; {then};; esac')
        self.program("docker", f'printf "{containers}"')
        os.utime(self.settings, (written_s, written_s))
        done = subprocess.run(
            [sys.executable, "-IS", engine_reload.__file__, "--settings", self.settings],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{self.folder}:{os.environ['PATH']}"},
        )
        return done.returncode, calls.read_text().splitlines(), done.stdout + done.stderr


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A fresh one."""
    return Engine(tmp_path)


def test_an_engine_without_containers_is_restarted(engine: Engine) -> None:
    """Then it has read everything."""
    code, calls, _ = engine.reload(SHOWN, "", 2000)

    assert (code, calls) == (0, ["restart docker.service"])


def test_no_container_is_ended(engine: Engine) -> None:
    """A reload takes up what it can, and what waits is told."""
    _, calls, words = engine.reload(SHOWN, "aaa\\nbbb\\n", 2000)

    assert calls == ["reload docker.service"]
    assert "keeps 2 container(s) running" in words


@pytest.mark.parametrize(
    ("shown", "written_s"),
    [(SHOWN, 500.0), ("ActiveState=inactive\nActiveEnterTimestamp=\n", 2000.0)],
)
def test_an_engine_that_knows_its_settings_is_left_alone(engine: Engine, shown: str, written_s: float) -> None:
    """It started after they were written, or reads them when it starts, or is not there."""
    assert engine.reload(shown, "", written_s) == (0, [], "")


def test_a_refusal_is_told_in_systemds_words(engine: Engine) -> None:
    """The apply fails with them."""
    code, _, words = engine.reload(SHOWN, "", 2000, 'echo "Job for docker.service failed" >&2; exit 1')

    assert (code, words) == (1, "systemctl restart docker.service: Job for docker.service failed\n")
