"""Amazon Managed Service for Prometheus → a workspace of the fleet's own, and the alerts of a workspace that pages.

State: the type tokens and logical names below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from sparkfleet.cloud.account.keys import stateful
from sparkfleet.cloud.account.permissions import log_group
from sparkfleet.monitoring.amp import alertmanager_definition

if TYPE_CHECKING:
    from sparkfleet.telemetry import Amp


class Workspace(pulumi.ComponentResource):
    """A workspace for the samples of the fleet's monitors, and the log of what its rules and alerts fail at."""

    workspace: aws.amp.Workspace

    def __init__(self, fleet: str, key: aws.kms.Key, log_days: int, opts: ResourceOptions) -> None:
        """Register workspace and log group, both encrypted with `key`; the workspace's key is for good."""
        super().__init__("sparkfleet:cloud:Workspace", f"{fleet}-workspace", None, opts)
        child = ResourceOptions(parent=self)
        log = aws.cloudwatch.LogGroup(
            "workspace", name=log_group(fleet), retention_in_days=log_days, kms_key_id=key.arn, opts=child
        )
        self.workspace = aws.amp.Workspace(
            "workspace",
            alias=fleet,
            kms_key_arn=key.arn,
            logging_configuration={"log_group_arn": pulumi.Output.concat(log.arn, ":*")},
            opts=stateful(child),
        )
        self.register_outputs({"workspace": self.workspace.id})


class Alerts(pulumi.ComponentResource):
    """The alerts of a workspace that exists already, and whom its Alertmanager tells, by way of one SNS topic."""

    def __init__(self, fleet: str, amp: Amp, rules: str, opts: ResourceOptions) -> None:
        """Register the rule namespace `rules`, named after the fleet, and the workspace's only Alertmanager."""
        super().__init__("sparkfleet:cloud:Alerts", f"{fleet}-alerts", None, opts)
        child = ResourceOptions(parent=self)
        aws.amp.RuleGroupNamespace(
            "alerts",
            name=f"sparkfleet-{fleet}",
            data=rules,
            workspace_id=amp.workspace_id,
            region=amp.region,
            opts=child,
        )
        aws.amp.AlertManagerDefinition(
            "alerts",
            definition=alertmanager_definition(amp),
            workspace_id=amp.workspace_id,
            region=amp.region,
            opts=child,
        )
        self.register_outputs({})
