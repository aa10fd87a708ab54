"""Fleet → our dashboards, and our rules where Grafana pages, in a Grafana that exists already: one Pulumi resource.

State: the import path of `GrafanaProvider` is written into it, so the name is for good. It holds the documents and the
reference of the token, never the token: that is read when Grafana is spoken to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from sparkfleet import secrets
from sparkfleet.monitoring import grafana_api, grafana_push

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sparkfleet.model import Fleet

INPUTS = ("url", "token", "documents", "drift")


class GrafanaProvider(ResourceProvider):
    """Keeps our part of somebody's Grafana as described; nothing else there is touched."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write what is missing or differs."""
        return CreateResult(str(props["url"]), self._converge(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare every input; another address is another Grafana."""
        changed = [key for key in INPUTS if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(changed), replaces=[key for key in changed if key == "url"])

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Write what differs."""
        return UpdateResult(self._converge(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask what would have to be written, and write nothing."""
        missing = grafana_push.push(_client(props, dry=True), grafana_api.from_documents(props["documents"]))
        actual = _inputs(props) | {"drift": ", ".join(missing)}
        return ReadResult(id_, dict(actual), inputs=actual)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Take our rules and our folder away."""
        grafana_push.remove(_client(props))

    @staticmethod
    def _converge(props: Mapping[str, Any]) -> dict[str, Any]:
        for line in grafana_push.push(_client(props), grafana_api.from_documents(props["documents"])):
            print(f"Grafana: {line}", flush=True)  # Pulumi shows what a dynamic provider prints
        return _inputs(props) | {"drift": ""}


class GrafanaContent(pulumi.dynamic.Resource, module="sparkfleet", name="GrafanaContent"):
    """Dashboards, data source and, when Grafana pages, rules and contact points at `monitoring.grafana.url`."""

    def __init__(self, fleet: Fleet, dashboards: Iterable[str], rules: Iterable[str]) -> None:
        """Describe them from JSON texts and rule files."""
        wanted = grafana_api.content(dashboards, rules, fleet.monitoring, fleet.monitor.scrape_interval)
        where = fleet.monitoring.grafana
        props = {"url": where.url, "token": where.token, "documents": grafana_api.documents(wanted), "drift": ""}
        super().__init__(GrafanaProvider(), fleet.fleet, props)


def _inputs(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in INPUTS}


def _client(props: Mapping[str, Any], *, dry: bool = False) -> grafana_push.Client:
    return grafana_push.Client(str(props["url"]), secrets.resolve(str(props["token"])), dry)
