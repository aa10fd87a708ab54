"""Every exporter's alert rules under promtool: each alert in each case, its page, and the metrics it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alerts.promtool import CASES, complete, load, rules, verdict

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
RULES = sorted(CHECKOUT.glob("exporters/*/alerts.yml"))
TESTS = sorted(HERE.glob("*/*.test.yml"))
SEVERITIES = {"page", "ticket", "info", "none"}
EVERY_ALERT_SHOWS = {"firing", "below", "missing", "flapping", "restart"}
# It always fires, so there is nothing else to show.
SHOWS_LESS = {"Watchdog": {"firing"}}


def exporter(path: Path) -> str:
    """exporters/gb10/alerts.yml, tests/alerts/gb10/heat.test.yml → gb10."""
    return path.parent.name


@pytest.mark.parametrize("path", TESTS, ids=lambda path: f"{exporter(path)}-{path.name.split('.')[0]}")
def test_the_rules_do_what_their_tests_say(path: Path, promtool: str, tmp_path: Path) -> None:
    """`promtool test rules` passes on each test file, and no alert fires that the test does not name."""
    folder = CHECKOUT / "exporters" / exporter(path)
    document = load(path)
    known = rules(folder / "alerts.yml")
    document["rule_files"] = [str(file) for file in sorted(folder.glob("*.yml"))]
    document["tests"] = [complete(test, known) for test in document["tests"]]
    if complaint := verdict(promtool, document, tmp_path):
        pytest.fail(complaint, pytrace=False)


@pytest.mark.parametrize("path", RULES, ids=exporter)
def test_each_alert_is_seen_in_every_case(path: Path) -> None:
    """For every alert there is a test of each case, with a moment that names it; a firing one expects it to fire."""
    shown: dict[str, set[str]] = {name: set() for name in rules(path)}
    for file in sorted((HERE / exporter(path)).glob("*.test.yml")):
        for test in load(file)["tests"]:
            moments = test.get("alert_rule_test", [])
            assert not moments or test["case"] in CASES, test["name"]
            for moment in moments:
                if test["case"] != "firing" or moment["exp_alerts"]:
                    shown[moment["alertname"]].add(test["case"])
    lacking = {name: SHOWS_LESS.get(name, EVERY_ALERT_SHOWS) - cases for name, cases in shown.items()}
    assert not {name: cases for name, cases in lacking.items() if cases}


@pytest.mark.parametrize("path", RULES, ids=exporter)
def test_each_alert_tells_a_person_what_it_means(path: Path) -> None:
    """Every alert says how bad it is, what it is about, what happens, where to read on and whence its threshold."""
    for name, rule in rules(path).items():
        assert set(rule["labels"]) == {"severity", "component"}, name
        assert rule["labels"]["severity"] in SEVERITIES, name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "threshold_source"}, name


@pytest.mark.parametrize("path", RULES, ids=exporter)
def test_the_rules_stay_within_what_every_evaluator_knows(path: Path) -> None:
    """Prometheus 2.42, AMP and Grafana: no field is newer than 2.42, and no text asks for the value."""
    for name, rule in rules(path).items():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, name
        assert "$value" not in str(rule["annotations"]), name


def test_an_alert_that_a_test_does_not_name_fails_it(promtool: str, tmp_path: Path) -> None:
    """The query that is added to each test sees a stranger: one that only names Gb10Hot, while Gb10NvmlStuck fires."""
    path = CHECKOUT / "exporters/gb10/alerts.yml"
    test = {
        "interval": "15s",
        "input_series": [
            {"series": 'sparkfleet_gb10_nvml_stuck_seconds{job="gb10", instance="spark-01"}', "values": "60x20"}
        ],
        "alert_rule_test": [{"eval_time": "2m", "alertname": "Gb10Hot", "exp_alerts": []}],
    }
    document = {"rule_files": [str(path)], "evaluation_interval": "15s", "tests": [complete(test, rules(path))]}
    assert "Gb10NvmlStuck" in verdict(promtool, document, tmp_path)


def test_each_rule_has_a_page_and_each_page_a_rule() -> None:
    """docs/guides/alerts has one short page an alert, whose name its runbook address ends with."""
    known = {name: rule for path in RULES for name, rule in rules(path).items()}
    pages = {path.stem: path.read_text() for path in (CHECKOUT / "docs/guides/alerts").glob("*.md")}
    assert pages.keys() == known.keys()
    for name, text in pages.items():
        assert known[name]["annotations"]["runbook_url"] == f"docs/guides/alerts/{name}.md"
        assert text.startswith(f"# {name}\n")
        assert f"Severity {known[name]['labels']['severity']}:" in text, name
        assert all(part in text for part in ("**Usual causes**", "**Look**", "**Do**", "**Call the vendor**")), name
        assert len(text.splitlines()) <= 45, name
