"""The route of a user with Pulumi's own installer: an environment from requirements.txt, then `pulumi preview`.

`pulumi install` runs the same pip command; the language host that the lab can build (sdk 3.78) does not know the option
`virtualenv`, so the environment is made here by hand and put first on PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from lab import toolchain
from lab.instance import CHECKOUT
from lab.up import lay

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.drill


def test_the_controllers_lock_is_enough_for_a_preview(tmp_path: Path) -> None:
    """With nothing but requirements.txt installed, `pulumi preview` names the settings of a described host."""
    clone, state = tmp_path / "clone", tmp_path / "state"
    subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
    state.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(clone / ".venv")], check=True)
    pip = [str(clone / ".venv/bin/python"), "-m", "pip", "install", "--quiet", "-r", "requirements.txt"]
    subprocess.run(pip, cwd=clone, check=True)

    description = yaml.safe_load((clone / "Pulumi.lab.yaml").read_text())
    description["config"]["sparkfleet:cloud"] = {"provider": "none"}
    description.pop("encryptionsalt")
    (clone / "Pulumi.mine.yaml").write_text(yaml.safe_dump(description))
    keys = clone / ".lab/lab/keys"
    keys.mkdir(parents=True)
    (keys / "automation.pub").write_text("ssh-ed25519 AAAA test\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in toolchain.ensure().values():
        for program in tool.parent.iterdir() if toolchain.ours(tool) else [tool]:
            lay(program, programs / program.name)
    words = {
        **os.environ,
        "PATH": f"{clone / '.venv/bin'}:{programs}:/usr/bin:/bin",
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "mine",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    subprocess.run(["pulumi", "stack", "init", "mine"], cwd=clone, env=words, check=True, capture_output=True)
    preview = subprocess.run(
        ["pulumi", "preview", "--diff", "--stack", "mine", "--non-interactive"],
        cwd=clone,
        env=words,
        capture_output=True,
        text=True,
        check=False,
    )
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "file:/etc/ssh/sshd_config.d/00-sparkfleet.conf" in preview.stdout
