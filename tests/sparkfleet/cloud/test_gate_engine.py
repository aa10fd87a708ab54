"""The gate in a program that the real Pulumi runs: what people see when a component has lost a protection."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
import pulumi
import pulumi_aws as aws
from sparkfleet.cloud.gate import Gate

whole = pulumi.ComponentResource("t:t:T", "all", None, pulumi.ResourceOptions(transformations=[Gate()]))
below = pulumi.ResourceOptions(parent=whole)
aws.sns.Topic("plain", name="plain", opts=below)
aws.s3.Bucket("bare", bucket="bare", opts=below)
"""
RUN_DEADLINE_S = 120


def test_an_account_with_a_fault_is_refused_in_one_message(tmp_path: Path, engine: str) -> None:
    """`up --skip-preview` tells every fault once, without a traceback, and asks AWS's plugin for nothing."""
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: gate\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([engine, os.environ["PATH"]]),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # An engine that is asked for an AWS resource would say here that it has no plugin for it.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_DEADLINE_S,
            check=False,
        )

    pulumi("stack", "init", "test")
    done = pulumi("up", "--yes", "--skip-preview")
    printed = done.stdout + done.stderr

    assert done.returncode != 0
    assert printed.count("aws:sns/topic:Topic plain: is not encrypted with a key of the fleet") == 1, printed
    assert printed.count("aws:s3/bucket:Bucket bare: ") == 7, printed
    assert not [word for word in ("Traceback", "plugin", "never retrieved") if word in printed], printed
