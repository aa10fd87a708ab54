"""Real venvs from real wheels: an environment is what its lock says, whole, or the one before stays."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import environment as program
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A root directory of our own, with a folder of wheels in it."""

    root: Path

    def lock(self, version: str, *, hashed: str = "") -> Path:
        """Lock the one package of these tests; returns where the environment in force is to be."""
        wheel = self.wheel(version)
        digest = hashed or hashlib.sha256(wheel.read_bytes()).hexdigest()
        folder = self.root / "etc/sparkfleet/environments"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "node.txt").write_text(f"sample=={version} --hash=sha256:{digest}\n")
        (folder / "sources.json").write_text(json.dumps({"index": "", "wheels": str(wheel.parent)}))
        return self.root / "opt/sparkfleet/node"

    def wheel(self, version: str) -> Path:
        """A wheel with one module that tells its version."""
        place = self.root / f"wheels/sample-{version}-py3-none-any.whl"
        place.parent.mkdir(parents=True, exist_ok=True)
        info = f"sample-{version}.dist-info"
        files = {
            "sample.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: sample\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        rows = [f"{name},sha256={digest(text)},{len(text)}" for name, text in files.items()]
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,\n"])}.items():
                archive.writestr(zipfile.ZipInfo(name), text)
        return place

    def start(self, *room_gib: str) -> subprocess.Popen[str]:
        """The program, as the role runs it."""
        return subprocess.Popen(
            [sys.executable, "-I", program.__file__, "node", *room_gib],
            env={**os.environ, "SPARKFLEET_ROOT": str(self.root)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, *room_gib: str) -> tuple[int, str, str]:
        """The same to its end: exit code, stdout, stderr."""
        with self.start(*room_gib) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def version(self) -> str:
        """Which package a program of the environment in force gets."""
        python = self.root / "opt/sparkfleet/node/bin/python"
        done = subprocess.run([python, "-Ic", "import sample; print(sample.VERSION)"], capture_output=True, text=True)  # noqa: PLW1510
        return done.stdout.strip()


def digest(text: str) -> str:
    """As RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One for all tests of this file, each of which leaves an environment in force."""
    made = Place(tmp_path_factory.mktemp("root"))
    made.lock("1.0")
    code, out, err = made.run()
    assert (code, err) == (0, ""), err
    assert "node-" in out
    return made


def test_what_is_built_holds_the_lock_and_nothing_else(place: Place) -> None:
    """Neither pip nor setuptools: the environment is exactly what was locked."""
    names = {path.name.partition("-")[0] for path in place.root.glob("opt/sparkfleet/node/lib/*/site-packages/*-info")}

    assert (place.version(), names) == ("1.0", {"sample"})


def test_a_second_run_makes_nothing_and_says_nothing(place: Place) -> None:
    """So that a role which runs for another reason reports no change."""
    assert place.run() == (0, "", "")


def test_another_file_than_the_locked_one_is_refused_and_the_environment_stays(place: Place) -> None:
    """Whoever changes a wheel on its way gets nothing run; the message says what it means."""
    place.lock("2.0", hashed="0" * 64)

    code, out, err = place.run()

    assert (code, out, place.version()) == (1, "", "1.0")
    assert "has other files than the lock" in err


def test_where_there_is_no_room_nothing_is_begun(place: Place) -> None:
    """A disk that is full in the middle harms all others; the message says how much is needed and how much is there."""
    place.lock("2.5")
    there = set(place.root.glob("opt/sparkfleet/environments/node-*"))

    code, out, err = place.run("999999")

    assert (code, out, place.version()) == (1, "", "1.0")
    assert re.search(r"it needs 999999 GiB while it is built, and .*/opt/sparkfleet has [0-9.]+ GiB free", err)
    assert set(place.root.glob("opt/sparkfleet/environments/node-*")) == there


def test_killed_in_the_middle_the_old_one_stays_and_the_next_run_finishes(place: Place) -> None:
    """Together with pip. The one before is kept, for programs that still run in it, and nothing half-built."""
    link = place.root / "opt/sparkfleet/node"
    before = link.resolve()
    place.lock("3.0")
    building = place.root / "var/cache/sparkfleet/pip-node"
    with place.start() as process:
        until(building.exists, "a build", 60, every_s=0.005)
        os.killpg(process.pid, signal.SIGKILL)

    assert (link.resolve(), place.version()) == (before, "1.0")
    assert place.run()[0] == 0
    assert place.version() == "3.0"
    assert set(place.root.glob("opt/sparkfleet/environments/node-*")) == {before, link.resolve()}
