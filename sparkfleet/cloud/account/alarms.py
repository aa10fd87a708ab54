"""The trust anchor of the hosts → alarms about certificates and sessions, which AWS counts without an agent of ours.

Source of the metrics: IAM Roles Anywhere user guide, "Monitoring with CloudWatch". State: the logical names below.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from sparkfleet.forms import seconds
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

NAMESPACE = "AWS/RolesAnywhere"
HOUR_S, DAY_S = 3600, 86400
SILENT_ROUNDS = 3
"""So many looks for data in a row without one session mean that no host reaches the account any more."""
LONGEST_H = 168  # CloudWatch looks back a week at most
ANCHOR_DAYS = 30  # AWS counts the days from 45 on, once a day


class Alarms(pulumi.ComponentResource):
    """Tells when hosts stop to present their certificates, and when their authority's certificate is about to end."""

    def __init__(
        self, fleet: Fleet, anchor: aws.rolesanywhere.TrustAnchor, topic: aws.sns.Topic, opts: ResourceOptions
    ) -> None:
        """Register the alarms; a fleet in which nothing asks for a session by the clock gets no heartbeat."""
        super().__init__("sparkfleet:cloud:Alarms", f"{fleet.fleet}-alarms", None, opts)
        child = ResourceOptions(parent=self)
        if hours := silent_hours(fleet):
            aws.cloudwatch.MetricAlarm(
                "heartbeat",
                name=f"{fleet.fleet}-heartbeat",
                alarm_description=f"No host of the fleet had a session in this account for {hours} hours",
                namespace=NAMESPACE,
                metric_name="Success",
                dimensions={"Operation": "CreateSession", "TrustAnchorArn": anchor.arn},
                statistic="Sum",
                period=HOUR_S,
                evaluation_periods=hours,
                threshold=1,
                comparison_operator="LessThanThreshold",
                treat_missing_data="breaching",  # silence is what it listens for
                alarm_actions=[topic.arn],
                ok_actions=[topic.arn],
                opts=child,
            )
        aws.cloudwatch.MetricAlarm(
            "anchor",
            name=f"{fleet.fleet}-anchor",
            alarm_description=f"The certificate of the fleet's authority ends within {ANCHOR_DAYS} days",
            namespace=NAMESPACE,
            metric_name="DaysToExpiry",
            dimensions={"TrustAnchorArn": anchor.arn},
            statistic="Minimum",
            period=DAY_S,
            evaluation_periods=1,
            threshold=ANCHOR_DAYS,
            comparison_operator="LessThanOrEqualToThreshold",
            treat_missing_data="notBreaching",  # far from its end nothing is counted
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            opts=child,
        )
        self.register_outputs({})


def silent_hours(fleet: Fleet) -> int:
    """After how many hours without a session something is wrong; 0 where nothing asks for one by the clock.

    Hosts that mirror data sets ask at each look, monitors that write to AMP at least once an hour.
    """
    intervals = [seconds(fleet.datasets.interval)] if fleet.with_role(Role.DATASETS) else []
    if fleet.with_role(Role.MONITOR) and fleet.monitoring.amp:
        intervals.append(HOUR_S)
    if not intervals:
        return 0
    return min(LONGEST_H, SILENT_ROUNDS * max(1, math.ceil(min(intervals) / HOUR_S)))
