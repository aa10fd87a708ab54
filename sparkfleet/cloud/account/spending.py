"""What the fleet may cost a month → a budget that tells before it is spent, and a look for what is out of the usual.

Both see what bears the tag `fleet`, once it is activated for cost allocation in the paying account: docs/guides/aws.md.
They are services of the whole account, without a region. State: the type token and logical names below.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

if TYPE_CHECKING:
    from pulumi_aws.budgets import BudgetNotificationArgsDict as Notification

    from sparkfleet.clouds import Aws


class Spending(pulumi.ComponentResource):
    """Tells `alarm_mail` what the fleet costs: at 80 % of the budget, over it, and when it will be over it."""

    def __init__(self, fleet: str, where: Aws, opts: ResourceOptions) -> None:
        """Register what the description asks for: the budget, the watch for anomalies, or both."""
        super().__init__("sparkfleet:cloud:Spending", f"{fleet}-spending", None, opts)
        child = ResourceOptions(parent=self)
        if where.budget_usd:
            aws.budgets.Budget(
                "monthly",
                name=f"{fleet}-monthly",
                budget_type="COST",
                time_unit="MONTHLY",
                limit_amount=str(where.budget_usd),
                limit_unit="USD",
                cost_filters=[{"name": "TagKeyValue", "values": [f"user:fleet${fleet}"]}],
                notifications=[
                    _told("ACTUAL", 80, where.alarm_mail),
                    _told("ACTUAL", 100, where.alarm_mail),
                    _told("FORECASTED", 100, where.alarm_mail),
                ],
                opts=child,
            )
        if where.cost_anomaly_usd:
            self._watch_anomalies(fleet, where, where.cost_anomaly_usd, child)
        self.register_outputs({})

    @staticmethod
    def _watch_anomalies(fleet: str, where: Aws, least_usd: int, child: ResourceOptions) -> None:
        monitor = aws.costexplorer.AnomalyMonitor(
            "anomalies",
            name=f"{fleet}-anomalies",
            monitor_type="CUSTOM",  # an account has one monitor of all services; it is not ours to make
            monitor_specification=json.dumps({"Tags": {"Key": "user:fleet", "Values": [fleet]}}, sort_keys=True),
            opts=child,
        )
        aws.costexplorer.AnomalySubscription(
            "anomalies",
            name=f"{fleet}-anomalies",
            frequency="DAILY",  # at once is for topics alone
            monitor_arn_lists=[monitor.arn],
            subscribers=[{"type": "EMAIL", "address": mail} for mail in where.alarm_mail],
            threshold_expression={
                "dimension": {
                    "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    "match_options": ["GREATER_THAN_OR_EQUAL"],
                    "values": [str(least_usd)],
                }
            },
            opts=child,
        )


def _told(kind: str, percent: int, mails: list[str]) -> Notification:
    return {
        "notification_type": kind,
        "comparison_operator": "GREATER_THAN",
        "threshold": percent,
        "threshold_type": "PERCENTAGE",
        "subscriber_email_addresses": mails,
    }
