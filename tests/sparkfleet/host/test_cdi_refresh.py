"""A toolkit that answers as NVIDIA's does → the CDI specification on the host, or the one that was there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkfleet.host import cdi_refresh

# Toolkit 1.20.1, its program alone; the GPU's id is masked.
CAPTURE = Path(__file__).resolve().parents[2] / "captures/cdi__nvidia-h100__580.159.04__toolkit-1.20.1.json"


def specification(*paths: str, names: tuple[str, ...] = ("0", "all"), kind: str = "nvidia.com/gpu") -> dict[str, Any]:
    """In the form that `nvidia-ctk cdi generate --format=json` gives."""
    mounts = [{"hostPath": path, "containerPath": path, "options": ["ro"]} for path in paths]
    nodes = {"deviceNodes": [{"path": "/dev/null"}]}
    return {
        "cdiVersion": "0.5.0",
        "kind": kind,
        "devices": [{"name": name, "containerEdits": nodes} for name in names],
        "containerEdits": {"deviceNodes": [{"path": "/dev/zero"}], "hooks": [{"path": "/bin/sh"}], "mounts": mounts},
    }


class Host:
    """A folder with a toolkit, a place for the specification and one for metrics."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "cdi/nvidia.yaml"

    def answers(self, answer: object, code: int = 0, words: str = "") -> None:
        """Let the toolkit answer."""
        toolkit = self.folder / "nvidia-ctk"
        (self.folder / "answer").write_text(answer if isinstance(answer, str) else json.dumps(answer))
        toolkit.write_text(f'#!/bin/sh\necho "{words}" >&2\ncat {self.folder / "answer"}\nexit {code}\n')
        toolkit.chmod(0o755)

    def refresh(self) -> subprocess.CompletedProcess[str]:
        """As the unit runs it."""
        places = ["--out", self.out, "--metrics", self.folder / "metrics/cdi.prom"]
        toolkit = ["--toolkit", self.folder / "nvidia-ctk"]
        words = [sys.executable, "-IS", cdi_refresh.__file__, *map(str, [*toolkit, *places])]
        return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a sound driver."""
    made = Host(tmp_path)
    made.answers(specification("/etc/passwd"))
    return made


def test_the_specification_is_written_for_everybody(host: Host) -> None:
    """As the toolkit gave it, and told as a metric; a second time nothing is written."""
    done = host.refresh()

    assert (done.returncode, done.stdout) == (0, f"{host.out}: 2 devices\n")
    assert json.loads(host.out.read_text()) == specification("/etc/passwd")
    assert host.out.stat().st_mode & 0o777 == 0o644
    assert "sparkfleet_cdi_devices 2\n" in (host.folder / "metrics/cdi.prom").read_text()
    written = host.out.stat().st_mtime_ns
    assert (host.refresh().stdout, host.out.stat().st_mtime_ns) == ("", written)


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("", 1, "nvidia-ctk ended with 1: ERROR_LIBRARY_NOT_FOUND"),
        ("no JSON", 0, "the toolkit's answer is none"),
        ({"kind": "nvidia.com/gpu"}, 0, "the toolkit's answer is none"),
        (specification(names=()), 0, "names no device"),
        (specification(kind="nvidia.com/mig"), 0, "it is of nvidia.com/mig"),
        (specification("/usr/lib/libcuda.so.580.95.05"), 0, "files that are not here: /usr/lib/libcuda.so.580.95.05"),
    ],
)
def test_what_would_not_work_replaces_nothing(host: Host, answer: object, code: int, words: str) -> None:
    """The last good one stays, with its date; the reason is told."""
    host.refresh()
    before = host.out.read_text(), (host.folder / "metrics/cdi.prom").read_text()
    host.answers(answer, code, "ERROR_LIBRARY_NOT_FOUND")

    done = host.refresh()

    assert done.returncode == 1
    assert words in done.stderr
    assert (host.out.read_text(), (host.folder / "metrics/cdi.prom").read_text()) == before


def test_without_a_toolkit_it_says_so(host: Host) -> None:
    """The unit is skipped then; by hand it is told."""
    (host.folder / "nvidia-ctk").unlink()

    assert "is not installed" in host.refresh().stderr


def test_what_a_real_toolkit_wrote_is_understood(host: Host) -> None:
    """Of an H100 (measured): every file that it names is looked for, those of hooks and device nodes, too."""
    written = CAPTURE.read_text()

    missing = cdi_refresh.missing_files(json.loads(written))
    host.answers(written)

    places = re.findall(r'"(?:hostPath|path)":"(/[^"]+)"', written)
    assert set(missing) == {path for path in places if not Path(path).exists()}
    assert "it names files that are not here" in host.refresh().stderr
