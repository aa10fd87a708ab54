"""Prometheus' HTTP API → samples, series, rules with their alerts; reached through SSH or by URL.

On a fleet Prometheus listens on the loopback of the hosts with the role monitor: `connect` opens an SSH channel to it
with the pinned host key. No shell, no local port. What it answers is bounded, and its words are fit to be shown: the
monitor is a host like the others.
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.parse
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import ConfigError, UnreachableError
from sparkfleet.monitoring.tunnel import Tunnel
from sparkfleet.text import parsed, printable, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sparkfleet.model import Fleet
    from sparkfleet.monitoring.tunnel import Socket

PORT = 9090
TIMEOUT_S = 10.0  # of silence
DEADLINE_S = 60.0  # of a whole answer
MOST_BYTES = 32 << 20  # six hours of every plot of a hundred hosts
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
        with self._shaped():
            if data["resultType"] != "vector":
                raise PrometheusError(f"{self.source} answered `{promql}` with a {data['resultType']}, not a vector.")
            found = [(_labels(one["metric"]), one["value"]) for one in data["result"]]
            return [Sample(labels, float(value), float(at_s)) for labels, (at_s, value) in found]

    def query_range(self, promql: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """A matrix: every series from `start_s` to `end_s`, a point each `step_s`."""
        asked = {"query": promql, "start": repr(start_s), "end": repr(end_s), "step": repr(step_s)}
        data = self._ask("query_range", asked)
        with self._shaped():
            found = [(_labels(one["metric"]), one["values"]) for one in data["result"]]
            return [Series(labels, tuple((float(t), float(v)) for t, v in values)) for labels, values in found]

    def rules(self) -> list[Rule]:
        """Every alerting rule with its pending and firing alerts; none where something else evaluates them."""
        data = self._ask("rules", {"type": "alert"})
        with self._shaped():
            return [
                Rule(rule["name"], rule["query"], tuple(_alert(rule["name"], one) for one in rule["alerts"]))
                for group in data["groups"]
                for rule in group["rules"]
            ]

    @contextmanager
    def _shaped(self) -> Iterator[None]:
        """An answer of another form than the API's is an error of theirs, not of ours."""
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise PrometheusError(
                f"{self.source} answered in a form that Prometheus' API does not have.",
                usually="another program listens there, or somebody else has taken its host over.",
                next_step="look at that host; check --url if you gave one.",
            ) from error

    def _ask(self, path: str, asked: Mapping[str, str]) -> Any:
        """The `data` of one answer. A question goes as a form: a long one would not fit into a URL."""
        connection, late = self._connection(), threading.Event()
        clock = None
        try:
            form = path in {"query", "query_range"}  # the others take GET only
            words = urllib.parse.urlencode(asked)
            target = self._prefix + API + path
            if form:
                kind = {"Content-Type": "application/x-www-form-urlencoded"}
                connection.request("POST", target, words, kind)
            else:
                connection.request("GET", f"{target}?{words}")
            clock = threading.Timer(DEADLINE_S, _end, [connection.sock, late])
            clock.daemon = True
            clock.start()
            answer = connection.getresponse()
            text = answer.read(MOST_BYTES + 1)
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise self._silent("time ran out" if late.is_set() else str(error) or type(error).__name__) from error
        finally:
            if clock:
                clock.cancel()
            connection.close()
        if late.is_set() or len(text) > MOST_BYTES:
            raise self._silent("time ran out" if late.is_set() else "it said too much")
        return self._data(answer.status, text)

    def _silent(self, why: str) -> PrometheusError:
        return PrometheusError(
            f"Prometheus ({self.source}) does not answer: {printable(why)}.",
            usually="it is starting, was stopped, or its host is out of memory.",
            next_step="look at `systemctl status prometheus` on that host, or name another with --url.",
        )

    def _data(self, status: int, text: bytes) -> Any:
        """What a successful answer holds; Prometheus says in JSON why it refuses a question."""
        try:
            document = parsed(text)
            if document["status"] == "success":
                return shown(document["data"], None)
            said = printable(str(document.get("error", "no reason given")))
        except (ValueError, KeyError, TypeError, AttributeError):
            said = "the answer is not that of Prometheus' API"
        raise PrometheusError(
            f"{self.source} refused a question with HTTP status {status}: {said}.",
            usually="it is starting (503), or another program or a log-in page listens there.",
            next_step="wait a few seconds and run the same command again; check --url if you gave one.",
        )


def _end(sock: socket.socket | Socket, late: threading.Event) -> None:
    """Nothing more comes from there: whoever reads is at the end."""
    late.set()
    with suppress(OSError, EOFError):  # the latter of a tunnel whose transport has ended
        sock.shutdown(socket.SHUT_RDWR)


def _labels(told: Mapping[str, Any]) -> dict[str, str]:
    return {printable(str(name)): printable(str(value)) for name, value in told.items()}


def _alert(name: str, told: Mapping[str, Any]) -> Alert:
    state, since = printable(str(told["state"])), printable(str(told.get("activeAt", "")))
    return Alert(str(name), state, _labels(told["labels"]), shown(dict(told["annotations"]), None), since)


@contextmanager
def connect(fleet: Fleet, url: str | None = None) -> Iterator[Prometheus]:
    """Prometheus at `url`, or on the first monitor host that is reached.

    Raises ConfigError when the description has no monitor host (and no URL is given), UnreachableError when none is
    reached.
    """
    if url:
        yield by_url(url)
        return
    tunnel = Tunnel(fleet, PORT, timeout_s=TIMEOUT_S, most_bytes=MOST_BYTES)
    try:
        tunnel.open()
        yield Prometheus(tunnel, f"on {tunnel.name}, through SSH")
    finally:
        tunnel.close()


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
