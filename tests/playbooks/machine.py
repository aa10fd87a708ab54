"""The Ansible modules as processes, in a mount namespace where /var/lib is a folder of the test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
COLLECTIONS = PROJECT / "playbooks/collections"

STAMP = re.compile(r"\.\d{8}T\d{6}\.\d{6}Z$")  # when a file was put aside

# A module keeps its marker below /var/lib: this process, and nobody else, sees the test's folder there.
NAMESPACE = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
ELSEWHERE = [*NAMESPACE, "sh", "-c", 'mount --bind "$1" /var/lib && shift && exec "$@"', "sh"]
MODULE = """\
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    importlib.import_module("ansible_collections.sparkfleet.host.plugins.modules." + sys.argv[1]).main()
"""


@dataclass
class Machine:
    """Where the modules act: `root` holds described files, `varlib` is /var/lib to them."""

    root: Path
    varlib: Path
    programs: str = os.environ["PATH"]
    calls: Path = field(init=False)

    def __post_init__(self) -> None:
        """Where fake programs write down how they were called."""
        self.calls = self.varlib.parent / "calls"

    def command(self, module: str) -> list[str]:
        """The command line that runs a module; its arguments go to stdin."""
        return [*ELSEWHERE, str(self.varlib), sys.executable, "-c", MODULE, module]

    def environment(self) -> dict[str, str]:
        """What the module's process gets."""
        return {**os.environ, "PATH": self.programs, "PYTHONPATH": str(COLLECTIONS)}

    def run(self, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Run a module; what it answered, whether it failed or not."""
        done = subprocess.run(
            self.command(module),
            input=json.dumps({**arguments, "_ansible_check_mode": check}),
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            umask=0o077,  # root's on a hardened machine
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def marker(self) -> dict[str, Any]:
        """What the marker says."""
        text = (self.varlib / "sparkfleet/marker.json").read_text()
        marker: dict[str, Any] = json.loads(text)
        return marker

    def removed(self) -> dict[str, str]:
        """The files that were put aside: former path to text."""
        place = self.varlib / "sparkfleet/removed"
        files = [f for f in place.rglob("*") if f.is_file()]
        return {"/" + STAMP.sub("", str(f.relative_to(place))): f.read_text() for f in files}

    def program(self, name: str, script: str) -> None:
        """Put a program of this name before the system's own; it writes its arguments into `calls` first."""
        folder = self.varlib.parent / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{script}\n')
        (folder / name).chmod(0o755)
        self.programs = f"{folder}:{os.environ['PATH']}"


@dataclass
class Tree:
    """A rendered tree, made piece by piece."""

    root: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    exact: dict[str, dict[str, Any]] = field(default_factory=dict)

    def file(self, name: str, text: str = "described\n", **entry: Any) -> Path:
        """Describe a file; its path."""
        path = self.root / name
        defaults = {"role": "base", "mode": 0o644, "owner": "root", "group": "root", "validate": "", "text": text}
        self.files[str(path)] = {**defaults, **entry}
        return path

    def link(self, name: str, target: str) -> Path:
        """Describe a link; its path."""
        self.links[str(self.root / name)] = {"role": "base", "target": target}
        return self.root / name

    def only(self, folder: str, *names: str) -> Path:
        """Describe the only names of a folder; its path."""
        self.exact[str(self.root / folder)] = {"role": "access", "names": list(names)}
        return self.root / folder

    def text(self) -> str:
        """What the module is given."""
        return json.dumps({"files": self.files, "links": self.links, "exact": self.exact})
