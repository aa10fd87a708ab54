"""Requests with the policies that concern them → what AWS would decide, by an evaluator of IAM's language (simulated).

@cloud-copilot/iam-simulate, pinned in iam_simulate/package-lock.json, run by the Node.js that requirements/nodejs.txt
pins. It knows actions, resource types and condition keys of AWS and refuses a request that AWS has no such thing for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import cache, environments, shell

if TYPE_CHECKING:
    from collections.abc import Sequence

PINNED = Path(__file__).parent / "iam_simulate"


@dataclass(frozen=True)
class Request:
    """What is asked of AWS, and every policy that has a say in it. `principal`: None is an unsigned request."""

    principal: str | None
    action: str
    resource: str
    context: dict[str, Any] = field(default_factory=dict)
    identity: Sequence[Any] = ()
    boundary: Any = None
    on_resource: Any = None

    def document(self, account: str) -> dict[str, Any]:
        """The request as the evaluator takes it; buckets and keys of ours all lie in `account`."""
        found: dict[str, Any] = {
            "principal": self.principal,
            "request": {
                "action": self.action,
                "resource": {"resource": self.resource, "accountId": account},
                "contextVariables": self.context,
            },
            "identityPolicies": [{"name": str(n), "policy": policy} for n, policy in enumerate(self.identity)],
            "serviceControlPolicies": [],
            "resourceControlPolicies": [],
        }
        if self.boundary:
            found["permissionBoundaryPolicies"] = [{"name": "boundary", "policy": self.boundary}]
        if self.on_resource:
            found["resourcePolicy"] = self.on_resource
        return found


def decide(requests: Sequence[Request], account: str) -> list[bool]:
    """Whether each is allowed; one process decides all. A request that the evaluator cannot read fails the test."""
    folder, node = _modules()
    told = json.dumps([request.document(account) for request in requests])
    done = subprocess.run([node, folder / "evaluate.mjs"], input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [answer for answer in answers if "error" in answer] == []
    return [answer["decision"] == "Allowed" for answer in answers]


def _modules() -> tuple[Path, Path]:
    """The folder with the evaluator and what it needs, as the lock says, and Node.js."""
    programs = environments.python(environments.ensure("nodejs")).parent
    files = [PINNED / name for name in ("package.json", "package-lock.json", "evaluate.mjs")]

    def build(folder: Path) -> None:
        for file in files:
            shutil.copyfile(file, folder / file.name)
        shell.run(
            programs / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", cache.root() / "npm",
            cwd=folder, env={"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip

    return cache.once(f"iam-simulate-{cache.digest(*(file.read_bytes() for file in files))}", build), programs / "node"
