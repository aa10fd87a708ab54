"""The web server, over real sockets: pages, refusals, shared scrapes, deadlines, and room for one more."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.web.messages import Refusal, request
from exporters.web.server import Limits
from tests.exporters.web.site import DEADLINE_S, ONCE, Site, answer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Limits(connections=8, request_s=0.5, idle_s=0.5, answer_s=0.5, handle_s=0.5)
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def site() -> Iterator[Site]:
    """A server with short deadlines and room for 8."""
    found = Site(QUICK)
    yield found
    found.stop()


def test_the_pages(site: Site) -> None:
    """Metrics, a landing page with links, health; a query string changes nothing; HEAD has no body."""
    assert site.ask(ONCE % b"/metrics?x=1") == (200, b"up 1.0\n")
    status, page = site.ask(ONCE % b"/")
    assert (status, b'href="/metrics"' in page, b"&lt;x&gt;" in page) == (200, True, True)
    assert site.ask(ONCE % b"/-/healthy") == (200, b"200 OK\n")
    assert site.ask(ONCE.replace(b"GET", b"HEAD") % b"/metrics") == (200, b"")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (ONCE % b"/nothing", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 413),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 100_000, 431),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n", 408),
        (b"", 0),
    ],
)
def test_what_is_refused(text: bytes, status: int, site: Site) -> None:
    """Each wrong request has its status and a closed connection; one that asks nothing is closed without a word."""
    assert site.ask(text)[0] == status
    assert site.server.counts.requests[status] == (1 if status else 0)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_an_error(text: bytes) -> None:
    """Any bytes are a request or a refusal."""
    with contextlib.suppress(Refusal):
        assert request(text).method in ("GET", "HEAD")


def test_a_connection_is_kept(site: Site) -> None:
    """HTTP/1.1 answers several requests on one connection, HTTP/1.0 only when asked to."""
    with site.connect() as sock:
        for _ in range(3):
            sock.sendall(GET)
            assert b"200 OK" in sock.recv(65536)
        assert answer(sock) == (0, b"")  # until it has been idle for too long
    assert site.ask(b"GET /metrics HTTP/1.0\r\n\r\n")[0] == 200


def test_scrapes_at_the_same_time_share_one(site: Site) -> None:
    """While one scrape is made, others that come wait for it and get the same text; the next is made anew."""
    begun, release = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        release.wait(DEADLINE_S)
        return f"scrape {site.scrapes}\n"

    site.scrape = slow
    first = site.connect()
    first.sendall(ONCE % b"/metrics")
    assert begun.wait(DEADLINE_S)
    others = [site.connect() for _ in range(5)]
    for sock in others:
        sock.sendall(ONCE % b"/metrics")
    time.sleep(0.1)  # the others are to be within the server; were they not, they would be scrape 2 and the test fails
    release.set()
    assert {answer(sock) for sock in (first, *others)} == {(200, b"scrape 1\n")}
    assert site.ask(ONCE % b"/metrics") == (200, b"scrape 2\n")


def test_a_scrape_that_hangs_or_fails_has_its_status(site: Site) -> None:
    """Too long is 503, also for health; an exception is 500; the server goes on."""
    hang = threading.Event()
    site.scrape = lambda: str(hang.wait(DEADLINE_S))
    assert site.ask(ONCE % b"/metrics")[0] == 503
    assert site.ask(ONCE % b"/-/healthy")[0] == 503
    hang.set()
    site.scrape = lambda: str(1 / 0)
    until(lambda: site.ask(ONCE % b"/metrics")[0] == 500, "the next scrape's failure")
    site.scrape = lambda: "up 1.0\n"
    assert site.ask(ONCE % b"/metrics")[0] == 200


def test_whoever_waits_longest_makes_room(site: Site) -> None:
    """With every place taken by half a request a further client is answered; the first of the others is closed."""
    half = [site.connect() for _ in range(8)]
    for sock in half:
        sock.sendall(b"GET /met")
    assert site.ask(ONCE % b"/metrics")[0] == 200
    assert half[0].recv(100) == b""
    assert site.server.counts.refused == 1
    assert len(site.server._connections) <= 8


def test_whoever_has_most_places_makes_room(site: Site) -> None:
    """A client that came first and has one place keeps it, while another address takes place after place."""
    one = socket.create_connection(site.address, timeout=DEADLINE_S, source_address=("127.0.0.2", 0))
    one.sendall(GET[:-2])
    greedy = [site.connect() for _ in range(12)]
    one.sendall(b"Connection: close\r\n\r\n")
    assert answer(one)[0] == 200
    assert greedy[0].recv(100) == b""
    end = time.monotonic() + DEADLINE_S
    while site.server.counts.refused < 4:  # 8 of 13 have a place, and the one may have left before the last came
        assert time.monotonic() < end
