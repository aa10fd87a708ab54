"""A program and a folder → a small Pulumi project that the real engine runs, with a state of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

RUN_DEADLINE_S = 180
UP = ("up", "--yes", "--skip-preview")


@dataclass
class Project:
    """`folder`: where Pulumi.yaml lies; `environment`: in which it is run."""

    folder: Path
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def written(cls, folder: Path, program: str, environment: dict[str, str]) -> Project:
        """A new project of this program."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Pulumi.yaml").write_text("name: cloud-test\nruntime: python\n")
        (folder / "__main__.py").write_text(program)
        return cls(folder, environment)

    def pulumi(self, *arguments: str, succeeds: bool = True, **environment: str) -> str:
        """Run one Pulumi command and return what it printed."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=RUN_DEADLINE_S,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert (done.returncode == 0) == succeeds, printed
        return printed

    def told(self) -> dict[str, Any]:
        """The outputs of the stack."""
        outputs: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return outputs


def environment(engine: str, home: Path, state: Path) -> dict[str, str]:
    """Ours, without accounts: Pulumi's home, a file backend, and a passphrase that protects nothing."""
    state.mkdir(parents=True, exist_ok=True)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PATH": os.pathsep.join([engine, os.environ["PATH"]]),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # An engine that is asked for a resource of AWS says that it has no plugin for it.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
