"""Who watches the AWS account and who is told, mocked: topics, alarms, workspace, spending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.cloud.account.alarms import silent_hours
from sparkfleet.model import Fleet, Role
from tests.sparkfleet.cloud.account import AMP, described, inputs, register, statements
from tests.sparkfleet.cloud.recorded import ACCOUNT, EVERYTHING

if TYPE_CHECKING:
    from tests.sparkfleet.recorder import Registered

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

MIRROR: dict[str, Any] = {"spark-01": {"addresses": ["192.0.2.1"], "roles": [Role.NODE, Role.DATASETS]}}
MONITOR: dict[str, Any] = {"spark-01": {"addresses": ["192.0.2.1"], "roles": [Role.MONITOR]}}


@pytest.fixture(scope="module")
def registered() -> Registered:
    """What is registered for a fleet with every switch on, and a host that mirrors data sets every two hours."""
    return register(described({"hosts": MIRROR, "datasets": {"interval": "2h"}}, **EVERYTHING))


@pytest.mark.parametrize("name", ["alarms", "alerts"])
def test_only_the_fleets_own_watchers_publish(registered: Registered, name: str) -> None:
    """A topic with a customer's key; CloudWatch for the fleet's alarms, AMP for this account's workspaces, by TLS."""
    topic = inputs(registered, "aws:sns/topic:Topic", name)
    rules = statements(inputs(registered, "TopicPolicy", name)["policy"])
    own = {"aws:SourceAccount": ACCOUNT}

    assert (topic["name"], topic["kmsMasterKeyId"][-10:]) == (f"demo-{name}", ":key/watch")
    assert rules["TlsOnly"]["Effect"] == "Deny"
    assert rules["Alarms"]["Condition"] == {
        "StringEquals": own,
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:demo-*"},
    }
    assert rules["Alerts"]["Condition"] == {
        "StringEquals": own,
        "ArnLike": {"aws:SourceArn": f"arn:aws:aps:eu-west-1:{ACCOUNT}:workspace/*"},
    }


def test_the_key_lets_exactly_these_services_in(registered: Registered) -> None:
    """Whoever writes to a topic, a log group or the trail's files uses the key for that and on our behalf alone."""
    rules = statements(inputs(registered, "Key", "watch")["policy"])
    services = {name: rule["Principal"]["Service"] for name, rule in rules.items() if "Service" in rule["Principal"]}

    assert services == {
        "AlarmsIntoTopics": "cloudwatch.amazonaws.com",
        "AlertsIntoTopics": "aps.amazonaws.com",
        "LogGroups": "logs.eu-west-1.amazonaws.com",
        "Trail": "cloudtrail.amazonaws.com",
    }
    assert all(rules[name]["Condition"] for name in services)
    group = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{LOG}"}
    assert rules["LogGroups"]["Condition"] == {"ArnEquals": group}


LOG = "/aws/vendedlogs/prometheus/demo"


def test_people_are_not_told_of_every_beat(registered: Registered) -> None:
    """Mail of the Alertmanager's topic is for pages and tickets; the dead man's beats go to machines."""
    alarms = inputs(registered, "TopicSubscription", "alarms-fleet@example.org")
    alerts = inputs(registered, "TopicSubscription", "alerts-fleet@example.org")

    assert (alarms["protocol"], alarms["endpoint"]) == ("email", "fleet@example.org")
    assert "filterPolicy" not in alarms
    assert alerts["filterPolicy"] == {"receiver": ["page", "ticket"]}


def test_silence_is_an_alarm(registered: Registered) -> None:
    """Three rounds without one session, counted by AWS itself; no data at all is the same as none."""
    alarm = inputs(registered, "MetricAlarm", "heartbeat")

    assert (alarm["namespace"], alarm["metricName"], alarm["statistic"]) == ("AWS/RolesAnywhere", "Success", "Sum")
    assert alarm["dimensions"]["Operation"] == "CreateSession"
    assert alarm["dimensions"]["TrustAnchorArn"].endswith("trust-anchor/demo-hosts")
    assert (alarm["period"], alarm["evaluationPeriods"]) == (3600, 6)
    assert (alarm["comparisonOperator"], alarm["threshold"]) == ("LessThanThreshold", 1)
    assert alarm["treatMissingData"] == "breaching"
    told = [f"arn:aws:sns:eu-central-1:{ACCOUNT}:demo-alarms"]
    assert (alarm["alarmActions"], alarm["okActions"]) == (told, told)


def test_the_end_of_the_authoritys_certificate_is_an_alarm(registered: Registered) -> None:
    """AWS counts its days only when they are few: no data is no fault."""
    alarm = inputs(registered, "MetricAlarm", "anchor")

    assert (alarm["metricName"], alarm["threshold"]) == ("DaysToExpiry", 30)
    assert alarm["treatMissingData"] == "notBreaching"


@pytest.mark.parametrize(
    ("fleet", "hours"),
    [
        (described(), 0),  # nothing asks by the clock: an alarm would never be silent
        (described({"hosts": MIRROR}), 3),
        (described({"hosts": MIRROR, "datasets": {"interval": "5m"}}), 3),
        (described({"hosts": MIRROR, "datasets": {"interval": "5h"}}), 15),
        (described({"hosts": MIRROR, "datasets": {"interval": "30d"}}), 168),  # CloudWatch looks back a week
        (described({"hosts": MONITOR}), 0),
        (described({"hosts": MONITOR, "monitoring": {"amp": AMP}}), 3),
    ],
)
def test_how_long_silence_is_waited_for(fleet: Fleet, hours: int) -> None:
    """Three times what the busiest asker waits between two looks."""
    assert silent_hours(fleet) == hours


def test_the_workspace_and_its_log_have_a_key_and_an_end(registered: Registered) -> None:
    """Samples and the rules' failures are encrypted with our key; the log is kept as long as described."""
    workspace = inputs(registered, "aws:amp/workspace:Workspace", "workspace")
    log = inputs(registered, "LogGroup", "workspace")

    assert workspace["kmsKeyArn"].endswith(":key/watch")
    assert workspace["loggingConfiguration"] == {
        "logGroupArn": f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:{LOG}:*"
    }
    assert (log["name"], log["retentionInDays"], log["kmsKeyId"][-10:]) == (LOG, 365, ":key/watch")


def test_money_is_watched_by_the_fleets_tag(registered: Registered) -> None:
    """Told before the budget is spent, when it is, and when it will be; anomalies above the described sum, daily."""
    budget = inputs(registered, "Budget", "monthly")
    monitor = inputs(registered, "AnomalyMonitor", "anomalies")
    told = inputs(registered, "AnomalySubscription", "anomalies")
    levels = [(each["notificationType"], each["threshold"]) for each in budget["notifications"]]

    assert (budget["limitAmount"], budget["limitUnit"], budget["timeUnit"]) == ("200", "USD", "MONTHLY")
    assert budget["costFilters"] == [{"name": "TagKeyValue", "values": ["user:fleet$demo"]}]
    assert levels == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    assert all(each["subscriberEmailAddresses"] == ["fleet@example.org"] for each in budget["notifications"])
    assert monitor["monitorSpecification"] == {"Tags": {"Key": "user:fleet", "Values": ["demo"]}}
    assert told["thresholdExpression"]["dimension"]["values"] == ["20"]
    assert told["subscribers"] == [{"type": "EMAIL", "address": "fleet@example.org"}]
