"""Every exporter's alert rules under promtool: their own tests, and none without one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
RULES = sorted(CHECKOUT.glob("exporters/*/alerts.yml"))


def alerts(path: Path) -> set[str]:
    """The names of the alerts in a rule file."""
    groups = yaml.safe_load(path.read_text())["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.parent.name)
def test_the_rules_do_what_their_tests_say(path: Path, promtool: str) -> None:
    """`promtool test rules` passes on the exporter's test file."""
    tests = HERE / f"{path.parent.name}.test.yml"
    done = subprocess.run([promtool, "test", "rules", str(tests)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.parent.name)
def test_each_alert_is_seen_firing_and_silent(path: Path) -> None:
    """For every alert there is a moment at which its test expects it, and one at which it expects nothing."""
    tests = yaml.safe_load((HERE / f"{path.parent.name}.test.yml").read_text())["tests"]
    moments = [moment for test in tests for moment in test["alert_rule_test"]]
    firing = {moment["alertname"] for moment in moments if moment.get("exp_alerts")}
    silent = {moment["alertname"] for moment in moments if not moment.get("exp_alerts")}
    assert firing == silent == alerts(path)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.parent.name)
def test_each_alert_tells_a_person_what_it_means(path: Path) -> None:
    """Every alert has a summary and a description."""
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            assert {"summary", "description"} <= set(rule["annotations"]), rule["alert"]


def test_the_alerts_name_metrics_that_the_exporter_has() -> None:
    """Each metric in the rules is in the golden file of the stress scenario."""
    golden = (CHECKOUT / "tests/golden/gb10/stress.metrics").read_text()
    named = set(re.findall(r"sparkfleet_gb10_\w+", (CHECKOUT / "exporters/gb10/alerts.yml").read_text()))
    assert named
    assert not [name for name in named if f"\n{name}" not in golden]
