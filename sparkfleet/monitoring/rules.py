"""The exporters' rule files → the rules of one evaluator, as YAML text: alerts, recordings or both. Pure.

A rule file is written once, beside the metrics that it reads (exporters/*/alerts.yml, recording.yml). Which of its
rules go where follows from `monitoring.alerts`: recordings are always made by Prometheus on the monitor, alerts by the
one evaluator that pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparkfleet.telemetry import Monitoring

Rule = dict[str, Any]
WIDTH = 118


def for_prometheus(text: str, monitoring: Monitoring) -> str:
    """What the Prometheus of a monitor loads instead of the rule file `text`; without alerts when another one pages."""
    kinds = {"record", "alert"} if monitoring.alerts == "prometheus" else {"record"}
    return dumped({"groups": list(groups([text], kinds, monitoring.runbooks))})


def groups(texts: Iterable[str], kinds: set[str], runbooks: str) -> Iterator[dict[str, Any]]:
    """The groups of several rule files that have rules of these kinds ("alert", "record"), runbook addresses whole."""
    for text in texts:
        for group in yaml.safe_load(text)["groups"]:
            rules = [_with_runbook(rule, runbooks) for rule in group["rules"] if kinds & rule.keys()]
            if rules:
                yield {**group, "rules": rules}


def alerts(text: str) -> dict[str, Rule]:
    """The alerts of a rule file by name."""
    return {rule["alert"]: rule for group in groups([text], {"alert"}, "") for rule in group["rules"]}


def dumped(document: Any) -> str:
    """YAML as a person would write it: keys in their order, several lines of text as a block."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _with_runbook(rule: Rule, runbooks: str) -> Rule:
    """The rule with the description's prefix before the page that it names; one without a page as it is."""
    page = rule.get("annotations", {}).get("runbook_url")
    if not page or not runbooks:
        return dict(rule)
    return {**rule, "annotations": {**rule["annotations"], "runbook_url": f"{runbooks.rstrip('/')}/{page}"}}


class _Dumper(yaml.SafeDumper):
    """As SafeDumper, with lists set in, and several lines of text as such: PyYAML would quote and escape them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Set lists in."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
