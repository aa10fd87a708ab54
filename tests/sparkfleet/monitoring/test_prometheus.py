"""Prometheus' HTTP API, by URL and through SSH → samples, rules, or an error that helps."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import ConfigError, UnreachableError
from sparkfleet.host.connection import Target
from sparkfleet.model import Fleet
from sparkfleet.monitoring import ask
from sparkfleet.monitoring.prometheus import PrometheusError, by_url, connect
from sparkfleet.monitoring.tunnel import Tunnel
from tests.sparkfleet.ssh_server import Server, described
from tests.sparkfleet.told import NOW_S, Api, sample, vector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S = 30.0
ODD = 'a"b\\c\nd&e=f'  # quotes, a backslash, a line break, what separates fields of a form


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that is taken and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def fleet(**host: Any) -> Fleet:
    """One host."""
    return Fleet.model_validate({"fleet": "office", "hosts": {"spark-01": {"addresses": ["127.0.0.1"], **host}}})


def test_a_vector_is_samples_even_where_it_is_not_a_number() -> None:
    """Labels, value and time arrive as they were said, also NaN and infinity."""
    said = [sample("spark-01", "up", 1.0), sample("spark-01", "gpu_power_watts", math.inf), sample("a", "x", math.nan)]
    with Api(lambda *_: vector(*said)) as api:
        found = by_url(api.url).query("up")

    assert found[:2] == said[:2]
    assert math.isnan(found[2].value)


def test_a_question_arrives_whole_under_any_prefix() -> None:
    """As a form: longer than a URL may be, with every character; behind a path too."""
    asked: list[tuple[str, dict[str, str]]] = []

    def tell(path: str, form: dict[str, str]) -> dict[str, Any]:
        asked.append((path, form))
        return vector()

    with Api(tell) as api:
        by_url(api.url + "/prometheus/").query(ODD * 2000, at_s=NOW_S)

    assert asked == [("/prometheus/api/v1/query", {"query": ODD * 2000, "time": repr(NOW_S)})]


def test_a_name_is_quoted_as_promql_wants_it() -> None:
    """A host's name cannot end the string that holds it."""
    assert ask.quoted(ODD) == '"a\\"b\\\\c\\nd&e=f"'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((503, b"Service Unavailable"), "HTTP status 503: the answer is not that of Prometheus' API"),
        ((200, b"<html>please log in</html>"), "HTTP status 200: the answer is not that of Prometheus' API"),
        ((200, b"[]"), "the answer is not that of Prometheus' API"),
        ((400, b'{"status":"error","error":"parse error"}'), "HTTP status 400: parse error"),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}, "a scalar, not a vector"),
    ],
)
def test_what_is_no_answer_is_an_error(answer: Any, said: str) -> None:
    """Another program, a log-in page, a question that is refused: it says which and what was said."""
    with Api(lambda *_: answer) as api, pytest.raises(PrometheusError, match=said):
        by_url(api.url).query("up")


def test_nothing_that_listens_is_an_error_with_advice(deaf: int) -> None:
    """It ends with the code of what cannot be reached, and names the other way."""
    with pytest.raises(PrometheusError) as caught:
        by_url(f"http://127.0.0.1:{deaf}").query("up")

    assert caught.value.exit_code == 4
    assert "--url" in caught.value.next_step


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x", "http://", "http://x:port", "http://u:secret@x", ""])
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    """A password on the command line would be seen by every process; the message does not repeat it."""
    with pytest.raises(ConfigError) as caught:
        by_url(url)

    assert "secret" not in str(caught.value)


def test_a_fleet_without_a_monitor_says_so() -> None:
    """Nobody keeps metrics there; nothing is dialled."""
    with pytest.raises(ConfigError, match="none has the role monitor"), connect(fleet()):
        pass


class TestThroughSsh:
    """The monitor's loopback, through a real SSH server."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        """The monitor host."""
        server = Server()
        yield server
        server.close()

    @pytest.fixture
    def monitor(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
        """A fleet whose one host is that server."""
        target = described(server, tmp_path)
        monkeypatch.setattr(Target, "of", classmethod(lambda *_: target))
        return fleet(roles=["monitor"])

    def test_its_prometheus_answers(self, monitor: Fleet, server: Server) -> None:
        """Every question takes a channel to port 9090 of its loopback; no command runs on the host."""
        server.sessions = False  # a command would be refused
        with Api(lambda *_: vector(sample("spark-01", "up", 1))) as api:
            server.services[9090] = api.port
            with connect(monitor) as found:
                answers = [found.query("up") for _ in range(2)]

        assert [len(answer) for answer in answers] == [1, 1]
        assert found.source == "on spark-01, through SSH"
        assert server.asked == [("127.0.0.1", 9090)] * 2

    def test_a_stopped_prometheus_is_told_from_a_silent_host(self, monitor: Fleet, server: Server, deaf: int) -> None:
        """The host is there; its port is not."""
        server.services[9090] = deaf
        with (
            connect(monitor) as found,
            pytest.raises(UnreachableError, match="nothing listens on port 9090"),
        ):
            found.query("up")

    def test_a_broken_session_is_opened_again(self, monitor: Fleet, server: Server) -> None:
        """A monitor that rebooted does not end `--live`: the next question logs in anew."""
        with Api(lambda *_: vector(sample("spark-01", "up", 1))) as api, connect(monitor) as found:
            server.services[9090] = api.port
            found.query("up")
            for transport in server.transports:
                transport.close()
            end, answer = time.monotonic() + DEADLINE_S, []
            while not answer and time.monotonic() < end:  # a question that was on its way may fail
                with contextlib.suppress(UnreachableError):
                    answer = found.query("up")

        assert len(answer) == 1

    def test_the_next_monitor_is_asked_when_the_first_is_silent(
        self, server: Server, tmp_path: Path, deaf: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two monitors: one that is reached is enough."""
        good = described(server, tmp_path)
        good.known_hosts.write_text(good.known_hosts.read_text().replace("spark-01", "spark-02"))
        targets = {
            "spark-01": dataclasses.replace(good, port=deaf),
            "spark-02": dataclasses.replace(good, name="spark-02"),
        }
        monkeypatch.setattr(Target, "of", classmethod(lambda _, __, name: targets[name]))
        hosts = {name: {"addresses": [f"127.0.0.{n}"], "roles": ["monitor"]} for n, name in enumerate(targets, 1)}
        opened = Tunnel(Fleet.model_validate({"fleet": "office", "hosts": hosts}), 9090, timeout_s=1.0, most_bytes=1)
        try:
            opened.open()
        finally:
            opened.close()

        assert opened.name == "spark-02"
