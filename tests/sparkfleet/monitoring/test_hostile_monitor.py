"""A monitor host that was taken over → one printable error in time, whatever stands where its Prometheus should."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host.connection import Target
from sparkfleet.model import Fleet
from sparkfleet.monitoring import prometheus
from sparkfleet.monitoring.prometheus import PrometheusError, by_url, connect
from tests.sparkfleet.hostile import POISON, fails
from tests.sparkfleet.ssh_server import Server, described
from tests.sparkfleet.told import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOST_S = 8.0
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
)


def dripped(first: bytes) -> Callable[[socket.socket], None]:
    """These bytes, then one now and then, for ever."""

    def serve(there: socket.socket) -> None:
        there.sendall(first)
        while True:
            there.sendall(b"x")
            time.sleep(0.1)

    return serve


def flooded(there: socket.socket) -> None:
    """An answer without end."""
    there.sendall(HEAD)
    while True:
        there.sendall(b"x" * 65536)


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port where each connection is served so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def one(there: socket.socket) -> None:
            with contextlib.suppress(OSError), there:
                request.param(there)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can wait for."""
    monkeypatch.setattr(prometheus, "DEADLINE_S", 1.0)
    monkeypatch.setattr(prometheus, "MOST_BYTES", 1 << 20)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("served", "words"),
    [
        (dripped(b"HTTP/1.1 200 OK\r\nX: "), "time ran out"),
        (dripped(HEAD), "time ran out"),
        (flooded, "it said too much"),
        (dripped(POISON.encode() + b"\n"), "does not answer"),
    ],
    indirect=["served"],
)
@pytest.mark.parametrize("way", ["url", "ssh"])
def test_an_answer_has_an_end(
    served: int, words: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deadline for head and body together, one bound for all of it, straight and through SSH."""
    server = Server()
    server.services[prometheus.PORT] = served
    target = described(server, tmp_path)
    monkeypatch.setattr(Target, "of", classmethod(lambda *_: target))
    fleet = Fleet.model_validate(
        {"fleet": "office", "hosts": {"spark-01": {"addresses": ["127.0.0.1"], "roles": ["monitor"]}}}
    )

    begin = time.monotonic()
    with connect(fleet, f"http://127.0.0.1:{served}" if way == "url" else None) as source:
        told = fails(lambda: source.query("up"))

    assert words in told
    assert time.monotonic() - begin < MOST_S
    server.close()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"resultType": "vector"},
        {"resultType": "vector", "result": [{}]},
        {"resultType": "vector", "result": [{"metric": [], "value": [1, "1"]}]},
        {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]},
        {"resultType": "vector", "result": [{"metric": {}, "value": [1, "one"]}]},
        {"resultType": "vector", "result": {"a": 1}},
    ],
)
def test_data_of_another_form_is_an_error(data: Any) -> None:
    """It is told in words, for vectors, matrices and rules alike; nobody reads a traceback."""
    with Api(lambda *_: {"status": "success", "data": data}) as api:
        source = by_url(api.url)
        fails(lambda: source.query("up"))
        fails(
            lambda: (
                source.query_range("up", 0, 1, 1) if data != {"resultType": POISON, "result": []} else source.rules()
            )
        )
        fails(source.rules)


def test_a_kind_of_answer_is_told_harmless() -> None:
    """What Prometheus names it may be anything here."""
    with Api(lambda *_: {"status": "success", "data": {"resultType": POISON, "result": []}}) as api:
        assert "not a vector" in fails(lambda: by_url(api.url).query("up"))


@given(JSON)
def test_whatever_is_told_is_data_or_one_kind_of_error(told: object) -> None:
    """For any JSON as samples, series or rules."""
    source = prometheus.Prometheus(lambda: pytest.fail("nobody is asked"), "nowhere")
    source._ask = lambda *_: told  # type: ignore[method-assign]
    for question in (lambda: source.query("up"), lambda: source.query_range("up", 0, 1, 1), source.rules):
        with contextlib.suppress(PrometheusError):
            assert isinstance(question(), list)
