"""The same rules and receivers in the form of Grafana's HTTP API, for a Grafana that is somebody's already. Pure.

Its notification policies are left alone: to replace the tree would silence whoever is in it. Instead each rule names
its own contact point (`notification_settings`). A rule can name one only, so the machine that acts stands beside the
person in the same contact point. What nobody is to be told names a contact point too, muted at all times: a rule that
names none would go wherever the owner's tree sends what it does not know.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError
from sparkfleet.monitoring import grafana
from sparkfleet.monitoring.alertmanager import ROUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sparkfleet.telemetry import Monitoring, Receivers

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
REQUIRED = ["grafana_folder", "alertname"]  # Grafana refuses to group by less
TOLD = ("page", "ticket", "deadman")


@dataclass(frozen=True)
class Content:
    """What a Grafana is to have of ours: documents as its API takes them."""

    folder: str
    datasource: dict[str, Any]
    dashboards: dict[str, dict[str, Any]]
    points: tuple[dict[str, Any], ...] = ()
    groups: tuple[dict[str, Any], ...] = ()
    mute: dict[str, Any] | None = field(default=None)


def content(dashboards: Iterable[str], rules: Iterable[str], monitoring: Monitoring, interval: str) -> Content:
    """Dashboards (JSON texts), rule files and the description → all that is pushed.

    With another evaluator than Grafana there are no rules. SparkfleetError: Grafana is to page, and nobody is told.
    """
    models = {model["uid"]: model for model in map(json.loads, dashboards)}
    source = grafana.datasource(monitoring.grafana.datasource_url)
    if monitoring.alerts != "grafana":
        return Content(monitoring.grafana.folder, source, models)
    receivers = points(monitoring.receivers)
    if not receivers:
        raise SparkfleetError(
            "monitoring.alerts is grafana, and no receiver has an address: nobody would be told",
            next_step="give monitoring.receivers.page a webhook",
        )
    groups = tuple(_group(group, receivers) for group in grafana.rule_groups(rules, monitoring, interval))
    mute = {"name": grafana.NOWHERE, "time_intervals": grafana.always_mute()["time_intervals"]}
    return Content(monitoring.grafana.folder, source, models, receivers, groups, mute)


def documents(wanted: Content) -> dict[str, str]:
    """The content as texts by name ("dashboard:gb10-fleet"): a preview then names what will change."""
    found: dict[str, Any] = {"folder": wanted.folder, "datasource": wanted.datasource}
    found |= {f"dashboard:{uid}": model for uid, model in wanted.dashboards.items()}
    found |= {f"point:{point['uid']}": point for point in wanted.points}
    found |= {f"rules:{group['title']}": group for group in wanted.groups}
    found |= {"mute": wanted.mute} if wanted.mute else {}
    return {name: json.dumps(document, sort_keys=True) for name, document in found.items()}


def from_documents(texts: Mapping[str, str]) -> Content:
    """The content back from its texts."""
    found = {name: json.loads(text) for name, text in texts.items()}

    def of(kind: str) -> dict[str, Any]:
        return {name.removeprefix(f"{kind}:"): v for name, v in found.items() if name.startswith(f"{kind}:")}

    points, groups = tuple(of("point").values()), tuple(of("rules").values())
    return Content(found["folder"], found["datasource"], of("dashboard"), points, groups, found.get("mute"))


def points(receivers: Receivers) -> tuple[dict[str, Any], ...]:
    """Every integration with the name of its contact point; those of one name are told together."""
    addresses = grafana.addresses(receivers)
    found = []
    for name in TOLD:
        if name in addresses:
            found.append({"name": grafana.point_name(name), **grafana.integration(name, addresses[name])})
        if name != "deadman" and "remediation" in addresses:
            beside = grafana.integration("remediation", addresses["remediation"], f"{name}-remediation")
            found.append({"name": grafana.point_name(name), **beside})
    return tuple(found)


def _group(group: Mapping[str, Any], receivers: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    rules = [_rule(rule, group["name"], receivers) for rule in group["rules"]]
    seconds = grafana.evaluation_s(group["interval"])
    return {"title": group["name"], "folderUid": grafana.FOLDER_UID, "interval": seconds, "rules": rules}


def _rule(rule: Mapping[str, Any], group: str, receivers: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    # Two fields have other names here than in files; the wrong one would be dropped in silence.
    renamed = {"missing_series_evals_to_resolve": "missingSeriesEvalsToResolve", "keepFiringFor": "keep_firing_for"}
    found = {renamed.get(key, key): value for key, value in rule.items()}
    for key in {"for", "keep_firing_for"} & found.keys():
        found[key] = canonical(found[key])
    told = _told(rule, {point["name"] for point in receivers})
    return {**found, "orgID": 1, "folderUID": grafana.FOLDER_UID, "ruleGroup": group, "notification_settings": told}


def _told(rule: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    wanted = "deadman" if rule["title"] == grafana.DEADMAN else str(rule["labels"].get("severity"))
    if grafana.point_name(wanted) not in names:
        return {"receiver": min(names), "group_by": REQUIRED, "mute_time_intervals": [grafana.NOWHERE]}
    route = next(route for route in ROUTE["routes"] if route["receiver"] == wanted)
    times = {key: {**ROUTE, **route}[key] for key in ("group_wait", "group_interval", "repeat_interval")}
    more = [label for label in {**ROUTE, **route}["group_by"] if label not in REQUIRED]
    return {"receiver": grafana.point_name(wanted), "group_by": [*REQUIRED, *more],
            **{key: canonical(value) for key, value in times.items()}}  # fmt: skip


def canonical(duration: str) -> str:
    """A duration as Grafana writes it back, so that it compares: 90s is 1m30s, 24h is 1d."""
    seconds = grafana.seconds(duration)
    if seconds and seconds % 604800 == 0:
        return f"{seconds // 604800}w"
    text = ""
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
