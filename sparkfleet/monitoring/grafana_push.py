"""Content for a Grafana → its HTTP API: asks first, writes only what differs, says what it wrote.

The token goes into one header and nowhere else: no message, no return value and no exception holds it.
Grafana itself was not there to try this on: a stub that keeps its documented answers stands in for it in the tests.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError
from sparkfleet.monitoring import grafana

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkfleet.monitoring.grafana_api import Content

TIMEOUT_S = 30.0
RULES = "/api/v1/provisioning/alert-rules"
POINTS = "/api/v1/provisioning/contact-points"
MUTES = "/api/v1/provisioning/mute-timings"


@dataclass(frozen=True)
class Client:
    """One Grafana and a service account's token for it."""

    url: str
    token: str = field(repr=False)
    dry: bool = False
    """Only ask: nothing is written, and `push` says what would be."""

    def get(self, path: str) -> Any:
        """The document there; None where there is none."""
        return self._ask("GET", path, None, absent_is_none=True)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Write, unless dry; SparkfleetError when Grafana refuses."""
        return None if self.dry else self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: Any, *, absent_is_none: bool = False) -> Any:
        request = urllib.request.Request(  # noqa: S310  (the description admits http and https alone)
            self.url.rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with OPENER.open(request, timeout=TIMEOUT_S) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404 and absent_is_none:
                return None
            raise self._refused(method, path, error) from None
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise SparkfleetError(
                f"Grafana at {self.url} does not answer: {getattr(error, 'reason', error)}",
                next_step="check monitoring.grafana.url from this machine",
            ) from None
        try:
            return json.loads(text) if text else {}
        except ValueError:
            raise SparkfleetError(
                f"{self.url}{path} answers, but not as Grafana does", next_step="check the url"
            ) from None

    def _refused(self, method: str, path: str, error: urllib.error.HTTPError) -> SparkfleetError:
        said = _said(error).replace(self.token, "…")
        if error.code == 401:
            return SparkfleetError(
                f"Grafana at {self.url} does not know the token: {said}",
                next_step="make a token of a service account and put it where monitoring.grafana.token points",
            )
        if error.code == 403:
            return SparkfleetError(
                f"the token may not {method} {path}: {said}",
                usually="making a data source needs a service account with the role Admin, all else Editor",
                next_step=f"give it that role, or make a Prometheus data source {grafana.DATASOURCE} (its uid) by hand",
            )
        return SparkfleetError(f"Grafana at {self.url} refused {method} {path} with {error.code}: {said}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another place."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse: the answer 3xx becomes an error."""
        return


OPENER = urllib.request.build_opener(_NoRedirect)


def push(client: Client, wanted: Content) -> list[str]:
    """Bring that Grafana to what is wanted; what was written, in words. The second run writes nothing."""
    return [
        *_folder(client, wanted.folder),
        *_datasource(client, wanted.datasource),
        *_dashboards(client, wanted.dashboards),
        *_told(client, wanted),
        *_groups(client, wanted),
        *_stale(client, wanted),
    ]


def remove(client: Client) -> list[str]:
    """Take our rules and our folder with its dashboards away; data source and contact points stay for who uses them."""
    gone = list(_delete_rules(client, set()))
    if client.get(f"/api/folders/{grafana.FOLDER_UID}"):
        client.send("DELETE", f"/api/folders/{grafana.FOLDER_UID}")
        gone.append("folder")
    return gone


def covers(found: Any, wanted: Any) -> bool:
    """Whether `found` says all that `wanted` says; what Grafana adds by itself does not count."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(found, list) and len(found) == len(wanted)
        return same_length and all(covers(f, w) for f, w in zip(found, wanted, strict=True))
    return bool(found == wanted)


def _folder(client: Client, title: str) -> Iterator[str]:
    path = f"/api/folders/{grafana.FOLDER_UID}"
    found = client.get(path)
    if found is None:
        client.send("POST", "/api/folders", {"uid": grafana.FOLDER_UID, "title": title})
    elif found.get("title") != title:
        client.send("PUT", path, {"title": title, "overwrite": True})
    else:
        return
    yield f"folder {title}"


def _datasource(client: Client, wanted: dict[str, Any]) -> Iterator[str]:
    path = f"/api/datasources/uid/{wanted['uid']}"
    found = client.get(path)
    if found is None:
        client.send("POST", "/api/datasources", wanted)
    elif not covers(found, {"url": wanted["url"], "type": wanted["type"]}):
        # What the owner set there beside the address (a login, headers) stays.
        client.send("PUT", path, {**found, "url": wanted["url"], "type": wanted["type"]})
    else:
        return
    yield f"data source {wanted['name']}"


def _dashboards(client: Client, wanted: dict[str, dict[str, Any]]) -> Iterator[str]:
    for uid, model in wanted.items():
        found = client.get(f"/api/dashboards/uid/{uid}") or {}
        in_place = found.get("meta", {}).get("folderUid") == grafana.FOLDER_UID
        if not (in_place and covers(found.get("dashboard"), model)):
            body = {"dashboard": {**model, "id": None}, "folderUid": grafana.FOLDER_UID, "overwrite": True}
            client.send("POST", "/api/dashboards/db", body)
            yield f"dashboard {model['title']}"


def _told(client: Client, wanted: Content) -> Iterator[str]:
    if wanted.mute and client.get(f"{MUTES}/{urllib.parse.quote(wanted.mute['name'])}") is None:
        client.send("POST", MUTES, wanted.mute)
        yield f"mute timing {wanted.mute['name']}"
    there = {point["uid"]: point for point in (client.get(POINTS) or [])} if wanted.points else {}
    for point in wanted.points:
        if point["uid"] not in there:
            client.send("POST", POINTS, point)
        elif not covers(there[point["uid"]], point):
            client.send("PUT", f"{POINTS}/{point['uid']}", point)
        else:
            continue
        yield f"contact point {point['name']} ({point['uid']})"


def _groups(client: Client, wanted: Content) -> Iterator[str]:
    for group in wanted.groups:
        name = urllib.parse.quote(group["title"], safe="")
        path = f"/api/v1/provisioning/folder/{grafana.FOLDER_UID}/rule-groups/{name}"
        if not covers(client.get(path), group):
            client.send("PUT", path, group)
            yield f"rules {group['title']}"


def _stale(client: Client, wanted: Content) -> Iterator[str]:
    """Rules of our folder that are wanted no more: all of them when another evaluator pages."""
    return _delete_rules(client, {rule["uid"] for group in wanted.groups for rule in group["rules"]})


def _delete_rules(client: Client, kept: set[str]) -> Iterator[str]:
    for rule in client.get(RULES) or []:
        if rule.get("folderUID") == grafana.FOLDER_UID and rule["uid"] not in kept:
            client.send("DELETE", f"{RULES}/{urllib.parse.quote(rule['uid'])}")
            yield f"rule {rule.get('title', rule['uid'])} taken away"


def _said(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode(errors="replace")
    try:
        return str(json.loads(text).get("message", text))[:200]
    except (ValueError, AttributeError):
        return text[:200] or str(error.reason)
