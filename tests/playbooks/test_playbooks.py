"""Every playbook, as Ansible itself reads it; what it does is seen in the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.playbooks.machine import PROJECT

PLAYBOOKS = sorted((PROJECT / "playbooks").glob("*.yml"))
BIN = Path(sys.executable).parent


def test_ansible_reads_every_playbook(tmp_path: Path) -> None:
    """`--syntax-check`, which also finds every role and every module that a task names."""
    done = subprocess.run(
        [BIN / "ansible-playbook", "--syntax-check", "-i", "localhost,", *PLAYBOOKS],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines() if line] == [str(path) for path in PLAYBOOKS]


def test_every_task_says_what_it_leaves_unchanged() -> None:
    """A command that Ansible cannot judge says itself whether it changed something: a second run tells of no change."""
    files = [*PLAYBOOKS, *sorted((PROJECT / "playbooks/roles").glob("*/tasks/*.yml"))]
    for file in files:
        document = yaml.safe_load(file.read_text())
        tasks = [task for part in document for task in (part.get("tasks", []) if "hosts" in part else [part])]
        for task in tasks:
            if task.keys() & {"ansible.builtin.command", "ansible.builtin.shell"}:
                assert "changed_when" in task, f"{file.name}: {task['name']}"
