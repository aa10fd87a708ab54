"""Prometheus' HTTP API → samples, series, rules with their alerts; reached through SSH or by URL.

On a fleet Prometheus listens on the loopback of the hosts with the role monitor: `connect` opens an SSH channel to it
with the pinned host key. No shell, no local port.
"""

from __future__ import annotations

import http.client
import io
import json
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import ConfigError, UnreachableError
from sparkfleet.host.connection import Session, Target
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import paramiko  # noqa: TID251  (a type: the channel that host/connection opened)

    from sparkfleet.model import Fleet

PORT = 9090
TIMEOUT_S = 10.0
API = "/api/v1/"


class PrometheusError(UnreachableError):
    """Prometheus does not answer, or refuses a question; `spark` ends with the code of a host that is not reached."""


@dataclass(frozen=True)
class Sample:
    """One value of one series. `value` may be NaN or infinite: Prometheus stores what it is told."""

    labels: Mapping[str, str]
    value: float
    at_s: float  # when the question was evaluated, Unix time by Prometheus' clock

    @property
    def name(self) -> str:
        """The metric's name; empty for what a function returned."""
        return self.labels.get("__name__", "")


@dataclass(frozen=True)
class Series:
    """The values of one series over time, oldest first; a step without a value is absent."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Alert:
    """An alert that Prometheus holds: pending or firing."""

    name: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    since: str = ""  # RFC 3339


@dataclass(frozen=True)
class Rule:
    """An alerting rule as Prometheus evaluates it, and its alerts."""

    name: str
    query: str
    alerts: tuple[Alert, ...] = ()


class Prometheus:
    """The API behind `connection`; `source` says in words where that is. Every method raises PrometheusError."""

    def __init__(self, connection: Callable[[], http.client.HTTPConnection], source: str, prefix: str = "") -> None:
        self._connection, self.source, self._prefix = connection, source, prefix

    def query(self, promql: str, *, at_s: float | None = None) -> list[Sample]:
        """An instant vector, now or at a Unix time."""
        asked = {"query": promql} | ({} if at_s is None else {"time": repr(at_s)})
        data = self._ask("query", asked)
        if data["resultType"] != "vector":
            raise PrometheusError(f"{self.source} answered `{promql}` with a {data['resultType']}, not a vector.")
        return [Sample(one["metric"], float(one["value"][1]), float(one["value"][0])) for one in data["result"]]

    def query_range(self, promql: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """A matrix: every series from `start_s` to `end_s`, a point each `step_s`."""
        asked = {"query": promql, "start": repr(start_s), "end": repr(end_s), "step": repr(step_s)}
        found = self._ask("query_range", asked)["result"]
        return [Series(one["metric"], tuple((float(t), float(v)) for t, v in one["values"])) for one in found]

    def rules(self) -> list[Rule]:
        """Every alerting rule with its pending and firing alerts; none where something else evaluates them."""
        groups = self._ask("rules", {"type": "alert"})["groups"]
        return [
            Rule(rule["name"], rule["query"], tuple(_alert(rule["name"], one) for one in rule["alerts"]))
            for group in groups
            for rule in group["rules"]
        ]

    def _ask(self, path: str, asked: Mapping[str, str]) -> Any:
        """The `data` of one answer. A question goes as a form: a long one would not fit into a URL."""
        connection = self._connection()
        try:
            form = path in {"query", "query_range"}  # the others take GET only
            words = urllib.parse.urlencode(asked)
            target = self._prefix + API + path
            if form:
                kind = {"Content-Type": "application/x-www-form-urlencoded"}
                connection.request("POST", target, words, kind)
            else:
                connection.request("GET", f"{target}?{words}")
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise PrometheusError(
                f"Prometheus ({self.source}) does not answer: {error or type(error).__name__}.",
                usually="it is starting, was stopped, or its host is out of memory.",
                next_step="look at `systemctl status prometheus` on that host, or name another with --url.",
            ) from error
        finally:
            connection.close()
        return self._data(answer.status, text)

    def _data(self, status: int, text: bytes) -> Any:
        """What a successful answer holds; Prometheus says in JSON why it refuses a question."""
        try:
            document = json.loads(text)
            if document["status"] == "success":
                return document["data"]
            said = str(document.get("error", "no reason given"))
        except (ValueError, KeyError, TypeError):
            said = "the answer is not that of Prometheus' API"
        raise PrometheusError(
            f"{self.source} refused a question with HTTP status {status}: {said}.",
            usually="it is starting (503), or another program or a log-in page listens there.",
            next_step="wait a few seconds and run the same command again; check --url if you gave one.",
        )


def _alert(name: str, told: Mapping[str, Any]) -> Alert:
    return Alert(name, told["state"], told["labels"], told["annotations"], told.get("activeAt", ""))


@contextmanager
def connect(fleet: Fleet, url: str | None = None) -> Iterator[Prometheus]:
    """Prometheus at `url`, or on the first monitor host that is reached.

    Raises ConfigError when the description has no monitor host (and no URL is given), UnreachableError when none is
    reached.
    """
    if url:
        yield by_url(url)
        return
    tunnel = Tunnel(fleet)
    try:
        tunnel.open()
        yield Prometheus(tunnel, f"on {tunnel.name}, through SSH")
    finally:
        tunnel.close()


class Tunnel:
    """SSH to the first monitor host that is reached; opened again after it broke."""

    def __init__(self, fleet: Fleet) -> None:
        self._targets = [Target.of(fleet, name) for name in fleet.with_role(Role.MONITOR)]
        if not self._targets:
            raise ConfigError(
                ["hosts: none has the role monitor, so nobody keeps metrics; name a Prometheus with --url"]
            )
        self._session: Session | None = None
        self.name = ""

    def open(self) -> Session:
        """The open session; raises UnreachableError of the last monitor host when none is reached."""
        if self._session and not self._session.alive:
            self.close()
        for target in self._targets:
            if self._session:
                break
            try:
                self._session, self.name = Session(target), target.name
            except UnreachableError:
                if target is self._targets[-1]:
                    raise
        assert self._session  # noqa: S101  (the last one raises)
        return self._session

    def __call__(self) -> http.client.HTTPConnection:
        """HTTP through a channel of its own: one a question."""
        try:
            channel = self.open().channel(PORT, timeout_s=TIMEOUT_S)
        except UnreachableError:
            self.close()
            raise
        connection = http.client.HTTPConnection("localhost", PORT)
        connection.sock = _Socket(channel)  # it has all that http.client needs of one
        return connection

    def close(self) -> None:
        """End the session; never raises."""
        if self._session:
            self._session.close()
        self._session = None


class _Socket:
    """A channel as http.client takes a socket: closing it leaves a file that was made of it open, until that is closed.

    http.client closes the socket of an answer without a length before the answer is read; a channel would end there.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self.sendall, self._channel, self._read = channel.sendall, channel, False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The answer; closing it closes the channel."""
        self._read = True
        return io.BufferedReader(_Answer(self._channel))

    def close(self) -> None:
        """The channel goes with its file, if there is one."""
        if not self._read:
            self._channel.close()


class _Answer(io.RawIOBase):
    """What arrives on a channel."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        """Nothing else is done with it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as there is; 0 at the end."""
        data = self._channel.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """End the channel too."""
        if not self.closed:
            self._channel.close()
        super().close()


def by_url(url: str) -> Prometheus:
    """Prometheus at http://… or https://…, path prefix allowed; credentials in the URL are refused."""
    parts = urllib.parse.urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in kinds or not parts.hostname or port == -1:
        raise ConfigError([f"--url: expected http://HOST:PORT or https://…, found {parts.scheme}://{parts.hostname}"])
    if parts.username or parts.password:
        raise ConfigError(["--url: holds a password, which every process of this machine could read"])
    kind, host = kinds[parts.scheme], parts.hostname
    return Prometheus(lambda: kind(host, port, timeout=TIMEOUT_S), f"at {url}", parts.path.rstrip("/"))
