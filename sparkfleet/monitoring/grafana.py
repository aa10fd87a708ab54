"""Alert rules, receivers and the description → what Grafana is given: rules, contact points, policies. Pure.

A rule of Prometheus fires for every series that its expression returns, whatever the value; `up == 0` returns 0. A rule
of Grafana fires where its last step is above zero. Each rule therefore has the three steps that Grafana's own importer
makes of a Prometheus rule (pkg/services/ngalert/prom/convert.go): the query at one instant; `is_number || is_nan ||
is_inf`, which makes 1 of every series that is there; and above 0. What else keeps the meaning:

- no data is OK: an expression that returns nothing is one that does not fire;
- a query that fails keeps the last state, as in Prometheus, but for the dead man's alert, which has to fall silent;
- a series that is gone resolves at the next evaluation (`missing_series_evals_to_resolve: 1`; Grafana's default is 2).

What Grafana cannot do: its Alertmanager knows no inhibitions, so a host that is down also tells of its parts.
Intervals are multiples of ten seconds there. Recording rules stay with Prometheus. Nothing here was run by a Grafana.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Any

from sparkfleet.monitoring.alertmanager import RECEIVERS, ROUTE
from sparkfleet.monitoring.rules import dumped, groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sparkfleet.telemetry import Monitoring, Receivers

DATASOURCE = "sparkfleet-prometheus"
FOLDER_UID = "sparkfleet"
NOWHERE = "sparkfleet nowhere"
LONGEST_UID = 40
STEP_S = 10  # Grafana evaluates at multiples of it
DEADMAN = "Watchdog"
QUERY, PRESENT, FIRES = "query", "prometheus_math", "threshold"
EXPRESSION = {"type": "__expr__", "uid": "__expr__"}
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def rule_groups(texts: Iterable[str], monitoring: Monitoring, interval: str) -> list[dict[str, Any]]:
    """The alerts of rule files as Grafana's groups, in the form of its provisioning files.

    `interval`: of groups that name none, as Prometheus writes durations.
    """
    return [
        {
            "orgId": 1,
            "name": group["name"],
            "folder": monitoring.grafana.folder,
            "interval": f"{evaluation_s(group.get('interval', interval))}s",
            "rules": [rule(alert) for alert in group["rules"]],
        }
        for group in groups(texts, {"alert"}, monitoring.runbooks)
    ]


def rule(alert: Mapping[str, Any]) -> dict[str, Any]:
    """One alert of Prometheus as a rule of Grafana."""
    found = {
        "uid": uid(alert["alert"]),
        "title": alert["alert"],
        "condition": FIRES,
        "data": steps(alert["expr"]),
        "noDataState": "OK",
        "execErrState": "OK" if alert["alert"] == DEADMAN else "KeepLast",
        "for": alert.get("for", "0s"),
        "missing_series_evals_to_resolve": 1,
        "annotations": dict(alert.get("annotations", {})),
        "labels": dict(alert.get("labels", {})),
        "isPaused": False,
    }
    return found | ({"keepFiringFor": alert["keep_firing_for"]} if "keep_firing_for" in alert else {})


def steps(expr: str) -> list[dict[str, Any]]:
    """The three steps: ask, note what is there, fire for each."""
    present = " || ".join(f"{test}(${QUERY})" for test in ("is_number", "is_nan", "is_inf"))
    above = {"evaluator": {"type": "gt", "params": [0]}}
    prometheus = {"type": "prometheus", "uid": DATASOURCE}
    return [
        _step(QUERY, DATASOURCE, {"datasource": prometheus, "expr": expr, "instant": True, "range": False}),
        _step(PRESENT, "__expr__", {"datasource": EXPRESSION, "type": "math", "expression": present}),
        _step(FIRES, "__expr__", {"datasource": EXPRESSION, "type": "threshold", "expression": PRESENT,
                                  "conditions": [above]}),
    ]  # fmt: skip


def uid(alert: str) -> str:
    """The rule's id for good: the alert's name with our prefix, cut and marked where it would be too long."""
    whole = f"sparkfleet-{re.sub(r'[^A-Za-z0-9_-]', '-', alert)}"
    if len(whole) <= LONGEST_UID:
        return whole
    return f"{whole[: LONGEST_UID - 9]}-{hashlib.sha256(alert.encode()).hexdigest()[:8]}"


def seconds(duration: str) -> int:
    """A duration of Prometheus in whole seconds, rounded up: "1h30m" is 5400."""
    return math.ceil(sum(float(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration)))


def evaluation_s(interval: str) -> int:
    """The same, up to the next interval that Grafana can keep."""
    return max(1, math.ceil(seconds(interval) / STEP_S)) * STEP_S


def contact_points(receivers: Receivers) -> list[dict[str, Any]]:
    """One contact point a receiver that has an address, in the form of provisioning files."""
    return [
        {"orgId": 1, "name": point_name(name), "receivers": [integration(name, address)]}
        for name, address in addresses(receivers).items()
    ]


def integration(name: str, address: str, uid_of: str = "") -> dict[str, Any]:
    """A webhook; the dead man's beat has no end to tell."""
    return {
        "uid": f"sparkfleet-{uid_of or name}",
        "type": "webhook",
        "settings": {"url": address, "httpMethod": "POST"},
        "disableResolveMessage": name == "deadman",
    }


def point_name(receiver: str) -> str:
    """How the contact point of a receiver is called."""
    return f"sparkfleet {receiver}"


def addresses(receivers: Receivers) -> dict[str, str]:
    """Receiver → webhook, for those that have one."""
    every = {name: getattr(receivers, name).webhook for name in RECEIVERS}
    return {name: address for name, address in every.items() if address}


def policy(receivers: Receivers) -> dict[str, Any]:
    """The tree of Alertmanager's routes as a notification policy.

    Grafana's tree ends in a contact point that exists, never in nothing: a last branch takes what nobody is to be told
    and is mute at all times.
    """
    there = addresses(receivers)
    branches = [_branch(route) for route in ROUTE["routes"] if route["receiver"] in there]
    root = "grafana-default-email"  # made by Grafana itself; never reached
    mute = {"receiver": root, "object_matchers": [["alertname", "=~", ".+"]], "mute_time_intervals": [NOWHERE]}
    kept = {key: ROUTE[key] for key in ("group_by", "group_wait", "group_interval", "repeat_interval")}
    return {"orgId": 1, "receiver": root, **kept, "routes": [*branches, mute]}


def always_mute() -> dict[str, Any]:
    """The mute timing of what nobody is told: every minute of every day."""
    return {"orgId": 1, "name": NOWHERE, "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]}


def alerting_file(texts: Iterable[str], monitoring: Monitoring, interval: str) -> str:
    """provisioning/alerting/sparkfleet.yaml. With another evaluator it takes our rules away and tells nobody."""
    if monitoring.alerts != "grafana":
        gone = [{"orgId": 1, "uid": uid(a["alert"])} for g in groups(texts, {"alert"}, "") for a in g["rules"]]
        return dumped({"apiVersion": 1, "deleteRules": gone, "resetPolicies": [1]})
    points = [
        {**point, "receivers": [_escaped(receiver) for receiver in point["receivers"]]}
        for point in contact_points(monitoring.receivers)
    ]
    return dumped(
        {
            "apiVersion": 1,
            "groups": rule_groups(texts, monitoring, interval),
            "contactPoints": points,
            "muteTimes": [always_mute()],
            "policies": [policy(monitoring.receivers)],
        }
    )


def datasource(url: str) -> dict[str, Any]:
    """The data source that dashboards and rules ask."""
    return {
        "uid": DATASOURCE,
        "name": "Sparks",
        "type": "prometheus",
        "access": "proxy",
        "url": url,
        "jsonData": {"httpMethod": "POST", "manageAlerts": False},
    }


def datasources_file() -> str:
    """provisioning/datasources/sparkfleet.yaml: Prometheus beside Grafana, on loopback."""
    own = {"orgId": 1, **datasource("http://127.0.0.1:9090"), "isDefault": True, "editable": False}
    return dumped({"apiVersion": 1, "datasources": [own]})


def dashboards_file(folder: str, place: str) -> str:
    """provisioning/dashboards/sparkfleet.yaml: every JSON file of the folder `place` is a dashboard in `folder`."""
    provider = {
        "name": "sparkfleet",
        "orgId": 1,
        "folder": folder,
        "folderUid": FOLDER_UID,
        "type": "file",
        "disableDeletion": False,
        "allowUiUpdates": False,
        "options": {"path": place},
    }
    return dumped({"apiVersion": 1, "providers": [provider]})


def _step(ref: str, source: str, model: dict[str, Any]) -> dict[str, Any]:
    window = {"from": 600, "to": 0}
    limits = {"refId": ref, "intervalMs": 1000, "maxDataPoints": 43200}
    return {"refId": ref, "relativeTimeRange": window, "datasourceUid": source, "model": {**model, **limits}}


def _branch(route: Mapping[str, Any]) -> dict[str, Any]:
    matchers = [list(_matcher(text)) for text in route["matchers"]]
    rest = {key: value for key, value in route.items() if key not in {"matchers", "receiver"}}
    return {"receiver": point_name(route["receiver"]), "object_matchers": matchers, **rest}


def _matcher(text: str) -> Iterator[str]:
    """`severity=~"page|ticket"` → its three parts."""
    found = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', text)
    if not found:
        raise ValueError(f"not a matcher: {text}")
    yield from found.groups()


def _escaped(receiver: Mapping[str, Any]) -> dict[str, Any]:
    """Grafana replaces $NAME in settings of provisioning files by environment variables; $$ is a dollar."""
    settings = {key: value.replace("$", "$$") for key, value in receiver["settings"].items()}
    return {**receiver, "settings": settings}
