"""Pushing to a Grafana that is there: what is written, what is not, and what is said when it refuses. `mocked`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.cloud.grafana import GrafanaProvider
from sparkfleet.errors import SparkfleetError
from sparkfleet.host.roles import DASHBOARDS
from sparkfleet.host.sources import PROJECT, rule_files
from sparkfleet.monitoring import grafana_api
from sparkfleet.monitoring.grafana_push import Client, push, remove
from sparkfleet.telemetry import Monitoring
from tests.sparkfleet.monitoring.grafana_stub import TOKEN, Stub

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stub() -> Iterator[Stub]:
    """An empty Grafana."""
    found = Stub()
    yield found
    found.close()


@pytest.fixture
def client(stub: Stub) -> Client:
    """A client with the right token."""
    return Client(stub.url, TOKEN)


def content(alerts: str = "grafana") -> grafana_api.Content:
    """The project's own dashboards and rules."""
    described = Monitoring.model_validate(
        {
            "alerts": alerts,
            "receivers": {name: {"webhook": f"http://192.0.2.9/{name}"} for name in ("page", "remediation", "deadman")},
            "grafana": {"datasource_url": "http://192.0.2.9:9090"},
        }
    )
    texts = [(PROJECT / path).read_text() for path in DASHBOARDS]
    return grafana_api.content(texts, rule_files().values(), described, "15s")


def test_everything_arrives(stub: Stub, client: Client) -> None:
    """Folder, data source, every dashboard in the folder, every alert as a rule that names a contact point."""
    push(client, content())

    boards = [kept for path, kept in stub.kept.items() if path.startswith("/api/dashboards/uid/")]
    assert len(boards) == len(DASHBOARDS)
    assert {board["meta"]["folderUid"] for board in boards} == {"sparkfleet"}
    points = {kept["name"] for path, kept in stub.kept.items() if "/contact-points/" in path}
    assert {rule["title"] for rule in stub.rules()} >= {"Gb10Hot", "Watchdog"}
    assert {rule["notification_settings"]["receiver"] for rule in stub.rules()} <= points
    assert not [request for request in stub.written if "policies" in request]


def test_the_second_push_writes_nothing(stub: Stub, client: Client) -> None:
    """What Grafana adds of its own (ids, versions, provenance) is no difference."""
    said = push(client, content())
    written = len(stub.written)

    assert said
    assert push(client, content()) == []
    assert len(stub.written) == written


def test_only_what_differs_is_written(stub: Stub, client: Client) -> None:
    """A dashboard that somebody changed, and a contact point, are set right; the rest is left alone."""
    push(client, content())
    stub.kept["/api/dashboards/uid/gb10-fleet"]["dashboard"]["title"] = "Mine"
    stub.kept["/api/v1/provisioning/contact-points/sparkfleet-page"]["settings"]["url"] = "http://elsewhere"

    assert push(client, content()) == ["dashboard GB10 fleet", "contact point sparkfleet page (sparkfleet-page)"]


def test_a_data_source_keeps_what_its_owner_added(stub: Stub, client: Client) -> None:
    """Another address is set; a login beside it stays."""
    stub.kept["/api/datasources/uid/sparkfleet-prometheus"] = {"url": "old", "type": "prometheus", "basicAuth": True}
    push(client, content())
    found = stub.kept["/api/datasources/uid/sparkfleet-prometheus"]
    assert (found["url"], found["basicAuth"]) == ("http://192.0.2.9:9090", True)


def test_when_another_evaluator_pages_our_rules_go(stub: Stub, client: Client) -> None:
    """And nobody else's: one evaluator pages, and the owner's rules are the owner's."""
    push(client, content())
    group = {"rules": [{"uid": "theirs", "folderUID": "other"}]}
    stub.kept["/api/v1/provisioning/folder/other/rule-groups/theirs"] = group

    push(client, content("prometheus"))

    assert [rule["uid"] for rule in stub.rules()] == ["theirs"]


def test_removing_takes_rules_and_folder(stub: Stub, client: Client) -> None:
    """And is quiet when they are gone already."""
    push(client, content())
    assert "folder" in remove(client)
    assert stub.rules() == []
    assert remove(client) == []


def test_dry_asks_and_writes_nothing(stub: Stub) -> None:
    """It says what a push would write."""
    assert "folder Sparks" in push(Client(stub.url, TOKEN, dry=True), content())
    assert stub.written == []


@pytest.mark.parametrize(
    ("refuse", "words"),
    [(401, "does not know the token"), (403, "may not GET /api/folders"), (500, "with 500"), (302, "with 302")],
)
def test_a_refusal_says_what_to_do_and_never_the_token(stub: Stub, client: Client, refuse: int, words: str) -> None:
    """Even when Grafana's own words quote it; a redirect is a refusal, since the token would go along."""
    stub.refuse = refuse
    with pytest.raises(SparkfleetError, match=words) as error:
        push(client, content())
    assert TOKEN not in str(error.value) + repr(error.value.__dict__) + repr(client)


def test_a_wrong_token_is_told_as_such(stub: Stub) -> None:
    """The header is checked by the stub; the wrong token is not quoted either."""
    with pytest.raises(SparkfleetError, match="does not know the token") as error:
        push(Client(stub.url, "wrong-token"), content())
    assert "wrong-token" not in str(error.value)


def test_a_grafana_that_is_not_there_is_told() -> None:
    """The message names the address and the setting."""
    with pytest.raises(SparkfleetError, match="does not answer"):
        push(Client("http://127.0.0.1:9", TOKEN), content())


class TestProvider:
    """The Pulumi resource over it."""

    def props(self, stub: Stub, alerts: str = "grafana") -> dict[str, Any]:
        """What the resource is told."""
        texts = grafana_api.documents(content(alerts))
        return {"url": stub.url, "token": "env:GRAFANA_TOKEN", "documents": texts, "drift": ""}

    def test_the_state_holds_the_reference_alone(
        self, stub: Stub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Neither outputs nor what is printed hold the token."""
        monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
        made = GrafanaProvider().create(self.props(stub))
        assert "dashboard GB10 fleet" in (printed := capsys.readouterr().out)
        assert TOKEN not in json.dumps(made.outs) + printed
        assert (made.outs or {})["token"] == "env:GRAFANA_TOKEN"

    def test_refresh_shows_drift_and_update_mends_it(self, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
        """What somebody changed by hand is named in `drift`; the next update sets it right."""
        monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
        provider, props = GrafanaProvider(), self.props(stub)
        provider.create(props)
        assert provider.read("id", props).outs == props
        stub.kept["/api/dashboards/uid/gb10-fleet"]["dashboard"]["title"] = "Mine"

        drifted = provider.read("id", props).outs or {}

        assert drifted["drift"] == "dashboard GB10 fleet"
        assert provider.diff("id", dict(drifted), props).changes
        provider.update("id", dict(drifted), props)
        assert provider.read("id", props).outs == props

    def test_a_changed_dashboard_is_named_in_a_preview(self, stub: Stub) -> None:
        """One document a dashboard: the diff shows which."""
        texts = grafana_api.documents(content())
        other = dataclasses.replace(content(), folder="Elsewhere")
        changed = {name for name, text in grafana_api.documents(other).items() if texts[name] != text}
        assert changed == {"folder"}
        assert GrafanaProvider().diff("id", self.props(stub), self.props(stub)).changes is False
