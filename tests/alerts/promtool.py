"""Alert rules and their test files → whole promtool test files, and promtool's verdict.

A test file in tests/alerts/gb10 is a promtool test file, less what can be told from the rules:

- of an expected alert it gives the labels of the series (`exp_labels: {job: gb10, instance: spark-01}`); the rule's own
  labels and the annotations are filled in. A text that names a label which the alert lacks is an error.
- `case` says what a test shows of the alerts in its moments: see CASES.
- no alert but those that a moment expects may fire at any time during a test: a query that says so is added.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

CASES = {
    "firing": "the fault is told, not before its time; at the boundary itself too",
    "below": "just below the boundary, or harmless",
    "missing": "series absent: another machine, a failed scrape",
    "flapping": "the fault comes and goes",
    "restart": "the exporter, and its counters, begin anew",
    "several": "many GPUs, hosts or jobs",
}
LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def rules(path: Path) -> dict[str, Any]:
    """The alerting rules of a rule file by name; ValueError when two have the same."""
    found = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    named = {rule["alert"]: rule for rule in found if "alert" in rule}
    if len(named) != len([rule for rule in found if "alert" in rule]):
        raise ValueError(f"{path} has two alerts of one name")
    return named


def load(path: Path) -> dict[str, Any]:
    """A test file. All scalars are text: to YAML `0x20` is 32, to promtool twenty-one zeros."""
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506  knows no types at all
    return document


def seconds(duration: str) -> int:
    """1h30m → 5400."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))


def expected(rule: Any, labels: dict[str, str]) -> dict[str, Any]:
    """An alert with these labels of its series, as promtool wants it; KeyError when a text names another label."""
    whole = {**labels, **rule["labels"]}
    texts = {name: LABEL.sub(lambda found: whole[found[1]], text) for name, text in rule["annotations"].items()}
    return {"exp_labels": whole, "exp_annotations": texts}


def complete(test: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """One test as promtool wants it."""
    moments = test.get("alert_rule_test", [])
    filled = [
        moment
        | {"exp_alerts": [expected(known[moment["alertname"]], one["exp_labels"]) for one in moment["exp_alerts"]]}
        for moment in moments
    ]
    result = {key: value for key, value in test.items() if key != "case"} | {"alert_rule_test": filled}
    for query in test.get("promql_expr_test", []):
        query["exp_samples"] = [sample | {"value": float(sample["value"])} for sample in query["exp_samples"]]
    if moments:
        named = "|".join(sorted({"Watchdog", *(moment["alertname"] for moment in moments if moment["exp_alerts"])}))
        end = max(seconds(moment["eval_time"]) for moment in moments)
        others = f'count_over_time(ALERTS{{alertstate="firing", alertname!~"{named}"}}[{end + 1}s])'
        silence = {"expr": others, "eval_time": f"{end}s", "exp_samples": []}
        result["promql_expr_test"] = [*test.get("promql_expr_test", []), silence]
    return result


def verdict(promtool: str, document: dict[str, Any], folder: Path) -> str:
    """What promtool has against `document`, written into `folder`; empty when all tests pass."""
    path = folder / "tests.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=100_000))
    done = subprocess.run([promtool, "test", "rules", str(path)], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""
