"""Rule files and the description → the documents of an AMP workspace: its rule namespace and its Alertmanager. Pure.

Recordings are not among the rules: the monitor makes them and writes their series to the workspace, where a second
evaluation would give the same series twice. AMP's Alertmanager speaks to SNS alone; subscriptions are told apart by the
message attribute `receiver` (page, ticket, remediation, deadman).
Source: AWS, "Alert receiver configuration" of Amazon Managed Service for Prometheus (no api_url, no http_config, a
region in sigv4, the configuration inside `alertmanager_config`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.monitoring.alertmanager import RECEIVERS, configuration
from sparkfleet.monitoring.rules import dumped, groups

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.telemetry import Amp

# SNS refuses a subject of more than 100 characters, and the default one holds every label.
SUBJECT = "[{{ .Status }}] {{ .CommonLabels.alertname }} ({{ len .Alerts }})"


def rule_namespace(texts: Iterable[str], runbooks: str) -> str:
    """The alerts of all rule files as one document of a RuleGroupNamespace; group names must differ between files."""
    return dumped({"groups": list(groups(texts, {"alert"}, runbooks))})


def alertmanager_definition(amp: Amp) -> str:
    """AMP's wrapper around an Alertmanager configuration that tells every receiver by the one topic."""
    told = {name: {"sns_configs": [_sns(amp, name)]} for name in RECEIVERS}
    return dumped({"alertmanager_config": dumped(configuration(told))})


def _sns(amp: Amp, receiver: str) -> dict[str, Any]:
    return {
        "topic_arn": amp.topic_arn,
        "sigv4": {"region": amp.region},
        "subject": SUBJECT,
        "attributes": {"receiver": receiver},
        "send_resolved": receiver != "deadman",
    }
