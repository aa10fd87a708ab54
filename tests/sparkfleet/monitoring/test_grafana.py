"""Alert rules as Grafana gets them, in files and over its API, held against the models of Grafana's own SDK."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from grafana_foundation_sdk.models import alerting, expr

from sparkfleet.errors import SparkfleetError
from sparkfleet.host.sources import rule_files
from sparkfleet.monitoring import grafana, grafana_api
from sparkfleet.telemetry import Monitoring, Receivers

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).resolve().parents[2] / "golden/grafana/alerting.yaml"
ALERTS = """\
groups:
  - name: gb10
    rules:
      - {alert: Gb10ExporterDown, expr: up == 0, for: 5m, labels: {severity: ticket, component: exporter},
         annotations: {summary: "{{ $labels.instance }}: silent", runbook_url: docs/guides/alerts/Gb10ExporterDown.md}}
      - {alert: Gb10Underused, expr: u < 0.05, labels: {severity: info}}
      - {record: "a:b", expr: c}
  - name: gb10-always
    interval: 45s
    rules: [{alert: Watchdog, expr: vector(1), labels: {severity: none}}]
"""
NAMES = ("page", "ticket", "remediation", "deadman")
RECEIVERS = {name: {"webhook": f"http://192.0.2.9/{name}"} for name in NAMES}


def monitoring(alerts: str = "grafana", receivers: dict[str, Any] | None = None) -> Monitoring:
    """A description in which Grafana pages, unless told otherwise."""
    found = RECEIVERS if receivers is None else receivers
    return Monitoring.model_validate({"alerts": alerts, "runbooks": "https://docs.example/", "receivers": found})


def content(receivers: dict[str, Any] | None = None) -> grafana_api.Content:
    """What would be pushed."""
    return grafana_api.content([], [ALERTS], monitoring(receivers=receivers), "15s")


def own_rules() -> Iterator[dict[str, Any]]:
    """Every real alert of the project as a rule of Grafana."""
    for group in grafana.rule_groups(rule_files().values(), monitoring(), "15s"):
        yield from group["rules"]


def test_the_provisioning_file_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    """Rules, contact points, mute timing and policy as text, compared line for line."""
    text = grafana.alerting_file([ALERTS], monitoring(), "15s")
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize("rule", list(own_rules()), ids=lambda rule: str(rule["title"]))
def test_the_sdk_reads_every_rule_back(rule: dict[str, Any]) -> None:
    """The models of Grafana's SDK know each field, and its steps are a query, a math and a threshold step."""
    # The SDK's model is of the API: there the group and the folder stand in the rule.
    read = alerting.Rule.from_json({**rule, "folderUID": "f", "ruleGroup": "g", "orgID": 1})
    assert (read.title, read.uid, read.condition) == (rule["title"], rule["uid"], "threshold")
    assert (read.no_data_state, read.for_val) == ("OK", rule["for"])
    assert read.labels == rule["labels"]
    assert [query.ref_id for query in read.data] == ["query", "prometheus_math", "threshold"]
    math = expr.TypeMath.from_json(rule["data"][1]["model"])
    threshold = expr.TypeThreshold.from_json(rule["data"][2]["model"])
    assert (math.type_val, threshold.type_val, threshold.expression) == ("math", "threshold", math.ref_id)
    assert (threshold.conditions[0].evaluator.type_val, threshold.conditions[0].evaluator.params) == ("gt", [0])


def test_ids_are_short_stable_and_different() -> None:
    """At most 40 characters of those that Grafana takes; a long name is cut and still its own."""
    found = [rule["uid"] for rule in own_rules()]
    assert len(set(found)) == len(found)
    long = [grafana.uid("Gb10" + "VeryLong" * 5 + end) for end in "ab"]
    assert long[0] != long[1]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid) for uid in [*found, *long])
    assert grafana.uid("Gb10Hot") == "sparkfleet-Gb10Hot"


def test_texts_survive_grafana() -> None:
    """Only $labels is used: $value means another thing there; labels have no dollar, which a file would expand."""
    for rule in own_rules():
        assert set(re.findall(r"\$(\w+)", json.dumps(rule["annotations"]))) <= {"labels"}
        assert "$" not in json.dumps(rule["labels"])


def test_the_dead_mans_alert_falls_silent_with_prometheus() -> None:
    """A query that fails ends it; every other alert stays as it was, as in Prometheus."""
    states = {rule["title"]: rule["execErrState"] for rule in own_rules()}
    assert states.pop("Watchdog") == "OK"
    assert set(states.values()) == {"KeepLast"}


def test_with_another_evaluator_nothing_pages_here() -> None:
    """The file then holds no rule and takes away those of before: one evaluator pages."""
    found = yaml.safe_load(grafana.alerting_file([ALERTS], monitoring("prometheus"), "15s"))
    assert found.keys() == {"apiVersion", "deleteRules", "resetPolicies"}
    assert [rule["uid"] for rule in found["deleteRules"]] == [
        "sparkfleet-Gb10ExporterDown", "sparkfleet-Gb10Underused", "sparkfleet-Watchdog",
    ]  # fmt: skip


def test_the_policy_is_a_tree_that_ends_in_silence() -> None:
    """The SDK reads it; each branch leads to a contact point that exists; the last one takes the rest and is mute."""
    policy = grafana.policy(monitoring().receivers)
    read = alerting.NotificationPolicy.from_json(policy)
    points = {point["name"] for point in grafana.contact_points(monitoring().receivers)}
    *branches, last = policy["routes"]
    assert len(read.routes or []) == len(policy["routes"])
    assert {branch["receiver"] for branch in branches} == points == {f"sparkfleet {name}" for name in NAMES}
    assert last["mute_time_intervals"] == [grafana.NOWHERE]
    assert last["object_matchers"] == [["alertname", "=~", ".+"]]


def test_a_receiver_without_an_address_has_neither_point_nor_branch() -> None:
    """What would have gone there falls through to silence."""
    receivers = Receivers.model_validate({"page": RECEIVERS["page"]})
    assert [point["name"] for point in grafana.contact_points(receivers)] == ["sparkfleet page"]
    assert [route["receiver"] for route in grafana.policy(receivers)["routes"][:-1]] == ["sparkfleet page"]


def test_a_contact_point_is_one_to_the_sdk() -> None:
    """Type, settings and name are read back; a dollar in an address is doubled in files, where it would be expanded."""
    receivers = {"page": {"webhook": "http://192.0.2.9/a$b"}}
    point = content(receivers).points[0]
    read = alerting.ContactPoint.from_json(point)
    assert (read.name, read.type_val, read.settings["url"]) == ("sparkfleet page", "webhook", "http://192.0.2.9/a$b")
    assert "http://192.0.2.9/a$$b" in grafana.alerting_file([ALERTS], monitoring(receivers=receivers), "15s")


@pytest.mark.parametrize(("given", "kept"), [("5s", 10), ("15s", 20), ("1m", 60), ("1m5s", 70), ("500ms", 10)])
def test_groups_are_evaluated_at_multiples_of_ten_seconds(given: str, kept: int) -> None:
    """Grafana takes no others; never more often than described."""
    assert grafana.evaluation_s(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"), [("90s", "1m30s"), ("24h", "1d"), ("36h", "1d12h"), ("7d", "1w"), ("0s", "0s")]
)
def test_durations_are_written_as_grafana_writes_them_back(given: str, kept: str) -> None:
    """So a second push finds nothing to do."""
    assert grafana_api.canonical(given) == kept


def test_pushed_rules_name_their_own_contact_point() -> None:
    """The owner's policies are not touched: pages and tickets with the machine beside them, the rest mute."""
    told = {rule["title"]: rule["notification_settings"] for group in content().groups for rule in group["rules"]}
    assert told["Gb10ExporterDown"]["receiver"] == "sparkfleet ticket"
    assert told["Watchdog"]["receiver"] == "sparkfleet deadman"
    assert told["Gb10Underused"]["mute_time_intervals"] == [grafana.NOWHERE]
    names = [(point["name"], point["uid"]) for point in content().points]
    assert ("sparkfleet page", "sparkfleet-page-remediation") in names
    assert all(set(settings["group_by"]) >= {"alertname", "grafana_folder"} for settings in told.values())


def test_nobody_to_tell_is_an_error() -> None:
    """Grafana is to page and there is no address: said before anything is pushed."""
    with pytest.raises(SparkfleetError, match="nobody would be told"):
        content({})


def test_documents_hold_the_whole_content() -> None:
    """Texts by name and back: nothing is lost on the way through Pulumi's state."""
    assert grafana_api.from_documents(grafana_api.documents(content())) == content()


def test_the_data_source_and_the_provider_are_files_of_grafana() -> None:
    """One Prometheus on loopback, and one folder of dashboards that the UI cannot change."""
    sources = yaml.safe_load(grafana.datasources_file())["datasources"]
    assert [(s["uid"], s["type"], s["url"]) for s in sources] == [
        (grafana.DATASOURCE, "prometheus", "http://127.0.0.1:9090")
    ]
    provider = yaml.safe_load(grafana.dashboards_file("Sparks", "/d"))["providers"][0]
    assert (provider["folder"], provider["options"]["path"], provider["allowUiUpdates"]) == ("Sparks", "/d", False)
