"""A resource as the mocked engine is asked for it → the calls to AWS that make it: `CALLS[type](aws, properties)`.

boto3 holds every call to AWS's own description of its interface: names, types, required fields. What each name is in a
resource of Pulumi and in the interface is said here, and nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from tests.sparkfleet.cloud import emulated_buckets
from tests.sparkfleet.cloud.emulated_buckets import pascal

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session

Properties = dict[str, Any]


class Aws:
    """One account and region of the emulator, and the names that it gave to what was made in it."""

    def __init__(self, session: Session, endpoint: str) -> None:
        self._session: Any = session  # its type has one line for each of AWS's services
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self.given: dict[str, str] = {}
        """A name as it was recorded → the emulator's."""

    def client(self, service: str) -> Any:
        """A client of one service."""
        if service not in self._clients:
            style = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
            self._clients[service] = self._session.client(service, endpoint_url=self._endpoint, config=style)
        return self._clients[service]

    def make(self, typ: str, properties: Properties) -> None:
        """Make one resource, with the emulator's names in place of recorded ones."""
        text = json.dumps(properties)
        for recorded, real in self.given.items():
            text = text.replace(json.dumps(recorded)[1:-1], real)
        CALLS[typ](self, json.loads(text))


def key(aws: Aws, p: Properties) -> None:
    """A key and its rotation; the emulator names it."""
    made = aws.client("kms").create_key(Description=p["description"], Policy=p["policy"])["KeyMetadata"]
    aws.client("kms").enable_key_rotation(KeyId=made["KeyId"])
    aws.given[p["recordedArn"]] = made["Arn"]


def alias(aws: Aws, p: Properties) -> None:
    """A name for a key; what is recorded is the key's id, the end of its ARN."""
    [arn] = [real for recorded, real in aws.given.items() if recorded.endswith(f":key/{p['targetKeyId']}")]
    aws.client("kms").create_alias(AliasName=p["name"], TargetKeyId=arn.rpartition("/")[2])


def role(aws: Aws, p: Properties) -> None:
    """A role below its boundary."""
    aws.client("iam").create_role(
        RoleName=p["name"],
        Description=p["description"],
        AssumeRolePolicyDocument=p["assumeRolePolicy"],
        MaxSessionDuration=p["maxSessionDuration"],
        PermissionsBoundary=p["permissionsBoundary"],
    )


def topic(aws: Aws, p: Properties) -> None:
    """A topic with its key."""
    told = {"KmsMasterKeyId": p["kmsMasterKeyId"], "SignatureVersion": str(p["signatureVersion"])}
    aws.client("sns").create_topic(Name=p["name"], Attributes=told)


def subscription(aws: Aws, p: Properties) -> None:
    """Whom a topic tells."""
    only = {"FilterPolicy": p["filterPolicy"]} if "filterPolicy" in p else {}
    aws.client("sns").subscribe(
        TopicArn=p["topic"], Protocol=p["protocol"], Endpoint=p["endpoint"], Attributes=only, ReturnSubscriptionArn=True
    )


def alarm(aws: Aws, p: Properties) -> None:
    """An alarm, and whom it tells."""
    said = {name: value for name, value in p.items() if name not in {"name", "dimensions", "okActions"}}
    where = [{"Name": name, "Value": value} for name, value in p["dimensions"].items()]
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=p["name"], Dimensions=where, OKActions=p["okActions"], **pascal(said)
    )


def log_group(aws: Aws, p: Properties) -> None:
    """A log group, encrypted, and how long it keeps."""
    aws.client("logs").create_log_group(logGroupName=p["name"], kmsKeyId=p["kmsKeyId"])
    aws.client("logs").put_retention_policy(logGroupName=p["name"], retentionInDays=p["retentionInDays"])


def workspace(aws: Aws, p: Properties) -> None:
    """A workspace and its log."""
    made = aws.client("amp").create_workspace(alias=p["alias"], kmsKeyArn=p["kmsKeyArn"])
    aws.client("amp").create_logging_configuration(
        workspaceId=made["workspaceId"], logGroupArn=p["loggingConfiguration"]["logGroupArn"]
    )


def rule_namespace(aws: Aws, p: Properties) -> None:
    """The rules of a workspace."""
    aws.client("amp").create_rule_groups_namespace(
        workspaceId=p["workspaceId"], name=p["name"], data=p["data"].encode()
    )


def alertmanager(aws: Aws, p: Properties) -> None:
    """The only Alertmanager of a workspace."""
    aws.client("amp").create_alert_manager_definition(workspaceId=p["workspaceId"], data=p["definition"].encode())


def budget(aws: Aws, p: Properties) -> None:
    """What a month may cost, and who is told."""
    aws.client("budgets").create_budget(
        AccountId=p["account"],
        Budget={
            "BudgetName": p["name"],
            "BudgetType": p["budgetType"],
            "TimeUnit": p["timeUnit"],
            "BudgetLimit": {"Amount": p["limitAmount"], "Unit": p["limitUnit"]},
            "CostFilters": {one["name"]: one["values"] for one in p["costFilters"]},
        },
        NotificationsWithSubscribers=[
            {
                "Notification": pascal({k: v for k, v in told.items() if k != "subscriberEmailAddresses"}),
                "Subscribers": [
                    {"SubscriptionType": "EMAIL", "Address": mail} for mail in told["subscriberEmailAddresses"]
                ],
            }
            for told in p["notifications"]
        ],
    )


def anomaly_monitor(aws: Aws, p: Properties) -> None:
    """What costs are looked at."""
    look = {"MonitorName": p["name"], "MonitorType": p["monitorType"]}
    look["MonitorSpecification"] = json.loads(p["monitorSpecification"])
    aws.client("ce").create_anomaly_monitor(AnomalyMonitor=look)


def anomaly_subscription(aws: Aws, p: Properties) -> None:
    """Who is told, and from which sum on."""
    expression = {"Dimensions": pascal(p["thresholdExpression"]["dimension"])}
    aws.client("ce").create_anomaly_subscription(
        AnomalySubscription={
            "SubscriptionName": p["name"],
            "MonitorArnList": p["monitorArnLists"],
            "Subscribers": pascal(p["subscribers"]),
            "Frequency": p["frequency"],
            "ThresholdExpression": expression,
        }
    )


def trail(aws: Aws, p: Properties) -> None:
    """A trail and what it looks at."""
    fields = {"fieldSelectors", "advancedEventSelectors"}
    said = {name: value for name, value in p.items() if name not in {*fields, "enableLogFileValidation"}}
    aws.client("cloudtrail").create_trail(**pascal(said), EnableLogFileValidation=p["enableLogFileValidation"])
    selectors = [
        {
            "Name": each["name"],
            "FieldSelectors": [
                {name.capitalize() if name != "startsWiths" else "StartsWith": value for name, value in field.items()}
                for field in each["fieldSelectors"]
            ],
        }
        for each in p["advancedEventSelectors"]
    ]
    aws.client("cloudtrail").put_event_selectors(TrailName=p["name"], AdvancedEventSelectors=selectors)


def trust_anchor(aws: Aws, p: Properties) -> None:
    """Whose certificates count."""
    source = {"sourceType": p["source"]["sourceType"], "sourceData": p["source"]["sourceData"]}
    aws.client("rolesanywhere").create_trust_anchor(name=p["name"], enabled=p["enabled"], source=source)


def profile(aws: Aws, p: Properties) -> None:
    """Which roles a session may have."""
    aws.client("rolesanywhere").create_profile(**p)


CALLS: dict[str, Callable[[Aws, Properties], object]] = {
    **emulated_buckets.CALLS,
    "aws:kms/key:Key": key,
    "aws:kms/alias:Alias": alias,
    "aws:iam/role:Role": role,
    "aws:iam/policy:Policy": lambda aws, p: aws.client("iam").create_policy(
        PolicyName=p["name"], PolicyDocument=p["policy"], Description=p.get("description", "")
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": lambda aws, p: aws.client("iam").attach_role_policy(
        RoleName=p["role"], PolicyArn=p["policyArn"]
    ),
    "aws:rolesanywhere/trustAnchor:TrustAnchor": trust_anchor,
    "aws:rolesanywhere/profile:Profile": profile,
    "aws:sns/topic:Topic": topic,
    "aws:sns/topicPolicy:TopicPolicy": lambda aws, p: aws.client("sns").set_topic_attributes(
        TopicArn=p["arn"], AttributeName="Policy", AttributeValue=p["policy"]
    ),
    "aws:sns/topicSubscription:TopicSubscription": subscription,
    "aws:cloudwatch/metricAlarm:MetricAlarm": alarm,
    "aws:cloudwatch/logGroup:LogGroup": log_group,
    "aws:amp/workspace:Workspace": workspace,
    "aws:amp/ruleGroupNamespace:RuleGroupNamespace": rule_namespace,
    "aws:amp/alertManagerDefinition:AlertManagerDefinition": alertmanager,
    "aws:budgets/budget:Budget": budget,
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": anomaly_monitor,
    "aws:costexplorer/anomalySubscription:AnomalySubscription": anomaly_subscription,
    "aws:cloudtrail/trail:Trail": trail,
}
