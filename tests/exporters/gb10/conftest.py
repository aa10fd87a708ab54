"""The real exporter as a process of its own, on the simulated NVML library and a fake machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import gb10
from sparkfleet.host.bundle import zipapp_bytes
from sparkfleet.host.parts import GB10_EXPORTER
from tests.exporters.running import CHECKOUT, Exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_PYTHON = Path("/usr/bin/python3")  # readable by every user, unlike the tests' own


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the simulated NVML library."""
    return gb10.build(tmp_path_factory.mktemp("gb10"))


class Machine:
    """A fake machine with a GB10 in `folder`; `exporter()` starts an exporter on it."""

    def __init__(self, folder: Path, library: Path | None, *, program: list[str] | None = None) -> None:
        self.folder, self.library = folder, library
        self.program = program or [sys.executable, "-m", "exporters.gb10"]
        self.running: list[Exporter] = []
        self.load("idle")

    def load(self, name: str, more: str = "") -> None:
        """Switch to a scenario, with more lines after it."""
        text = gb10.scenario(name) + more
        gb10.put(text, self.folder)
        # Values grow with the age of the file: one from the future has none, and golden files hold.
        os.utime(self.folder / "scenario", (time.time() + 3600, time.time() + 3600))

    @property
    def command(self) -> list[str]:
        """The exporter on this machine, at a pace fit for tests."""
        paths = [f"--path.{name}fs={self.folder / name}" for name in ("proc", "sys", "root")]
        paths.append(f"--path.privileged={self.folder / 'privileged.json'}")
        pace = ["--nvml.interval=0.1", "--nvml.deadline=2"]
        return [*self.program, *paths, *pace, "--recorder.file="]

    @property
    def environment(self) -> dict[str, str]:
        """Which driver it finds."""
        found = os.environ | {"NVML_SCENARIO": str(self.folder / "scenario")}
        found["LD_LIBRARY_PATH"] = str(self.library) if self.library else "/nonexistent"
        return found

    def replay(self, text: str, age_s: float) -> str:
        """One exposition of the scenario at that age, the root oneshot's part included; time stands still."""
        shutil.rmtree(self.folder)
        gb10.put(text, self.folder)  # its first boot
        environment = self.environment | {"NVML_SCENARIO_AGE": str(age_s), "GB10_FOLDER": str(self.folder)}
        environment["PATH"] = f"{self.library}:{environment['PATH']}"
        (self.folder / "state").mkdir()
        self.privileged(environment, "--boot=begin")
        for log in self.folder.glob("*kmsg*"):
            log.unlink()  # what was said at once would be said twice
        gb10.put(text, self.folder, age_s)
        self.privileged(environment, "--boot=begin")
        self.privileged(environment, f"--out={self.folder / 'privileged.json'}")
        done = subprocess.run(
            [*self.command, "--once"], env=environment, cwd=CHECKOUT, check=True, capture_output=True, text=True
        )
        return done.stdout

    def privileged(self, environment: dict[str, str], what: str) -> None:
        """Run the root oneshot on this machine, alone as on a host."""
        program = [sys.executable, "-I", "-S", str(CHECKOUT / "exporters/gb10/privileged.py")]
        paths = [f"--{name}fs={self.folder / name}" for name in ("proc", "sys")]
        more = [f"--kmsg={self.folder / 'kmsg'}", f"--state={self.folder / 'state'}", what]
        subprocess.run([*program, *paths, *more], env=environment, check=True)

    def exporter(self, user: int | None = None, environment: dict[str, str] | None = None) -> Exporter:
        """Start one, as another user or in another environment if told so."""
        self.running.append(Exporter(self.command, self.folder / "log", environment or self.environment, user))
        return self.running[-1]

    def stop(self) -> None:
        """End what still runs."""
        for exporter in self.running:
            if exporter.process.poll() is None:
                exporter.stop()


@pytest.fixture
def machine(built: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine with an idle GB10."""
    found = Machine(tmp_path / "machine", built)
    yield found
    found.stop()


@pytest.fixture
def packed_machine(built: Path) -> Iterator[Machine]:
    """The same with the exporter packed into one file, in a folder that every user may read (pytest's are root's)."""
    folder = Path(tempfile.mkdtemp(prefix="gb10-test-"))
    folder.chmod(0o755)
    shutil.copy(built / "libnvidia-ml.so.1", folder)
    packed = folder / "exporter.pyz"
    packed.write_bytes(zipapp_bytes(CHECKOUT, GB10_EXPORTER.package, GB10_EXPORTER.libraries, GB10_EXPORTER.shared))
    found = Machine(folder / "machine", folder, program=[str(SYSTEM_PYTHON), "-I", str(packed)])
    yield found
    found.stop()
    shutil.rmtree(folder)
