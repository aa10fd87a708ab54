"""Rule files → what each evaluator gets, judged by promtool; and the documents of AMP."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet.host.sources import rule_files
from sparkfleet.monitoring import amp, rules
from sparkfleet.telemetry import Amp, Monitoring
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

ALERTS = """\
groups:
  - name: gb10
    interval: 1m
    rules:
      - alert: Gb10Hot
        expr: a > 1
        annotations: {runbook_url: docs/guides/alerts/Gb10Hot.md, summary: "{{ $labels.instance }}: hot"}
      - record: instance:a:max
        expr: max(a)
  - name: other
    rules: [{alert: Watchdog, expr: vector(1)}]
"""
WORKSPACE = Amp(
    region="eu-west-1",
    workspace_id="ws-12345678-90ab-cdef-1234-567890abcdef",
    topic_arn="arn:aws:sns:eu-west-1:111122223333:alerts",
)


def parsed(text: str) -> list[dict[str, Any]]:
    """The groups of a rule document."""
    groups: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    return groups


def judged(kind: str, text: str, folder: Path) -> str:
    """What promtool or amtool says of a text; the test fails when it refuses."""
    file = folder / "judged.yml"
    file.write_text(text)
    command = {"rules": [program("promtool"), "check", "rules"], "routes": [program("amtool"), "check-config"]}[kind]
    done = subprocess.run([*command, str(file)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_gets_everything_when_it_pages() -> None:
    """Alerts and recordings, in their groups with their intervals; the words of an alert unchanged."""
    first, second = parsed(rules.for_prometheus(ALERTS, Monitoring()))

    assert [rule.get("alert", rule.get("record")) for rule in first["rules"]] == ["Gb10Hot", "instance:a:max"]
    assert first["interval"] == "1m"
    assert first["rules"][0]["annotations"]["summary"] == "{{ $labels.instance }}: hot"
    assert second["rules"] == [{"alert": "Watchdog", "expr": "vector(1)"}]


@pytest.mark.parametrize("evaluator", ["grafana", "amp"])
def test_only_one_evaluator_pages(evaluator: str, tmp_path: Path) -> None:
    """When another one pages, Prometheus keeps the recordings and no alert, and promtool takes what is left."""
    monitoring = Monitoring.model_validate({"alerts": evaluator})

    [group] = parsed(rules.for_prometheus(ALERTS, monitoring))

    assert group["rules"] == [{"record": "instance:a:max", "expr": "max(a)"}]
    for text in rule_files().values():
        judged("rules", rules.for_prometheus(text, monitoring), tmp_path)


@pytest.mark.parametrize("prefix", ["https://docs.example/x", "https://docs.example/x/"])
def test_a_runbook_page_becomes_an_address(prefix: str) -> None:
    """The described prefix goes before the page, with one slash; without a prefix the page stands as it is."""
    [with_prefix, _] = parsed(rules.for_prometheus(ALERTS, Monitoring(runbooks=prefix)))
    [without, _] = parsed(rules.for_prometheus(ALERTS, Monitoring()))

    address = with_prefix["rules"][0]["annotations"]["runbook_url"]
    assert address == "https://docs.example/x/docs/guides/alerts/Gb10Hot.md"
    assert without["rules"][0]["annotations"]["runbook_url"] == "docs/guides/alerts/Gb10Hot.md"


def test_the_shipped_rules_are_the_written_ones(tmp_path: Path) -> None:
    """What a monitor loads has, rule for rule, the expressions of the exporters' files, and promtool takes it."""
    files = rule_files()
    assert files
    for text in files.values():
        shipped = rules.for_prometheus(text, Monitoring(runbooks="https://docs.example/"))
        judged("rules", shipped, tmp_path)

        written = [rule for group in parsed(text) for rule in group["rules"]]
        assert [(r["expr"], r.get("for")) for g in parsed(shipped) for r in g["rules"]] == [
            (r["expr"], r.get("for")) for r in written
        ]


def test_an_expression_of_several_lines_is_written_as_several() -> None:
    """Whoever reads the file on the monitor sees the expression as it was written."""
    text = rules.for_prometheus('groups: [{name: a, rules: [{alert: A, expr: "a > 1\\n  or b\\n"}]}]', Monitoring())

    assert "expr: |\n          a > 1\n            or b\n" in text


def test_amp_gets_every_alert_and_no_recording(tmp_path: Path) -> None:
    """One document with the alerts of all files, group names unique, taken by promtool."""
    text = amp.rule_namespace(rule_files().values(), "https://docs.example")
    names = [rule["alert"] for group in parsed(text) for rule in group["rules"]]

    judged("rules", text, tmp_path)
    assert sorted(names) == sorted(name for file in rule_files().values() for name in rules.alerts(file))
    assert "https://docs.example/docs/guides/alerts/Gb10Hot.md" in text


def test_amps_alertmanager_has_the_same_routes_over_sns(tmp_path: Path) -> None:
    """AMP's wrapper holds a configuration that amtool takes: one topic, the receiver as an attribute, no api_url."""
    wrapper = yaml.safe_load(amp.alertmanager_definition(WORKSPACE))
    assert list(wrapper) == ["alertmanager_config"]

    judged("routes", wrapper["alertmanager_config"], tmp_path)
    inner = yaml.safe_load(wrapper["alertmanager_config"])
    told = {r["name"]: r["sns_configs"][0] for r in inner["receivers"] if "sns_configs" in r}
    assert {sns["topic_arn"] for sns in told.values()} == {WORKSPACE.topic_arn}
    assert {name: sns["attributes"] for name, sns in told.items()} == {name: {"receiver": name} for name in told}
    assert not [key for sns in told.values() for key in sns if key in {"api_url", "http_config"}]
