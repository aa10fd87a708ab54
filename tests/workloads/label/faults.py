"""A proxy before a real server that breaks requests on purpose, each as a list says → what a client makes of it.

with Proxy("http://10.231.6.1:18080") as proxy:
    proxy.break_("POST", "/import", Fault.LOST)         # once; the server does what was asked, its answer is lost
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

SLOW_S = 3.0
SKIPPED = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(StrEnum):
    """What happens to a request."""

    REFUSED = "reset before anything is read"
    BROKEN = "answered with 500, never passed on"
    BUSY = "answered with 429, never passed on"
    LOST = "passed on and done; the connection is reset instead of the answer"
    CUT = "passed on and done; half of the answer comes"
    LATE = "reset at once, and passed on when the test says so"
    SLOW = "answered after some seconds"
    FORBIDDEN = "answered with 403"


STATUS = {Fault.BROKEN: 500, Fault.BUSY: 429, Fault.FORBIDDEN: 403}


@dataclass
class Rule:
    """One fault for so many requests; `also` is done at that moment, before the client learns anything."""

    method: str
    path: re.Pattern[str]
    fault: Fault | None
    times: int
    also: Callable[[], None] | None


class Proxy:
    """On a free port of loopback. `met` counts the faults that happened."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.met, self.rules, self.lock = Counter[str](), list[Rule](), threading.Lock()
        self.late: list[tuple[str, str, dict[str, str], bytes]] = []
        proxy = self

        class Handler(_Handler):
            outer = proxy

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def break_(
        self, method: str, path: str, fault: Fault | None, times: int = 1, also: Callable[[], None] | None = None
    ) -> None:
        """Let the next `times` requests that match meet the fault; None: nothing but `also`."""
        self.rules.append(Rule(method, re.compile(path), fault, times, also))

    def settle(self) -> None:
        """Pass on what is late."""
        while self.late:
            self.pass_on(*self.late.pop())

    def take(self, method: str, path: str) -> tuple[Fault | None, Callable[[], None] | None]:
        """What shall happen to this request."""
        with self.lock:
            for rule in self.rules:
                if rule.times and rule.method in {method, "*"} and rule.path.search(path):
                    rule.times -= 1
                    self.met[rule.fault.name if rule.fault else "HOOK"] += 1
                    return rule.fault, rule.also
        return None, None

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """The server's answer."""
        connection = http.client.HTTPConnection(self.target.hostname or "", self.target.port, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            told = {name: value for name, value in answer.getheaders() if name.lower() not in SKIPPED}
            return answer.status, told, answer.read()


class _Handler(http.server.BaseHTTPRequestHandler):
    outer: Proxy
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in SKIPPED}
        request = (self.command, self.path, headers, body)
        fault, also = self.outer.take(self.command, self.path)
        if fault in STATUS:
            self._answer(STATUS[fault], {"Content-Type": "application/json"}, b'{"detail": "<b>no</b>"}')
            return
        if fault is Fault.REFUSED:
            self._reset()
            return
        if fault is Fault.LATE:
            self.outer.late.append(request)
            self._reset()
            return
        if fault is None and also:
            also()
        try:
            status, told, answer = self.outer.pass_on(*request)
        except OSError:
            self._reset()
            return
        if fault and also:
            also()
        if fault is Fault.SLOW:
            time.sleep(SLOW_S)
        if fault is Fault.LOST:
            self._reset()
        else:
            self._answer(status, told, answer, cut=fault is Fault.CUT)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _do  # noqa: N815  (http.server's names)

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self._reset()

    def _reset(self) -> None:
        """End the connection as a crashed machine's kernel does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Nothing: what happened is counted."""
