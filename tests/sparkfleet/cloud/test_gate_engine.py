"""The gate in a program that the real Pulumi runs: what people see when a component has lost a protection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sparkfleet.cloud.projects import UP, Project, environment

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


def test_an_account_with_a_fault_is_refused_in_one_message(tmp_path: Path, engine: str) -> None:
    """`up --skip-preview` tells every fault once, without a traceback, and asks AWS's plugin for nothing."""
    project = Project.written(tmp_path, PROGRAM, environment(engine, tmp_path / "home", tmp_path / "state"))
    project.pulumi("stack", "init", "test")

    printed = project.pulumi(*UP, succeeds=False)

    assert printed.count("aws:sns/topic:Topic plain: is not encrypted with a key of the fleet") == 1, printed
    assert printed.count("aws:s3/bucket:Bucket bare: ") == 7, printed
    assert not [word for word in ("Traceback", "plugin", "never retrieved") if word in printed], printed
