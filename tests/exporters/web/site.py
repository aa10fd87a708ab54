"""A running web server whose scrape the test decides, and how to speak to it over a bare socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from exporters.web.pages import Pages
from exporters.web.server import Limits, Server, listen
from exporters.web.web_config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 20.0
ONCE = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Site:
    """A running server whose scrape the test decides."""

    def __init__(self, limits: Limits | None = None, config: Callable[[], WebConfig] = WebConfig) -> None:
        self.scrapes, self.scrape = 0, lambda: "up 1.0\n"
        self.listener = listen("127.0.0.1", 0)
        self.address = self.listener.getsockname()
        self.limits, self.config = limits or Limits(), config
        self.started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.thread.start()
        assert self.started.wait(DEADLINE_S)

    async def _run(self) -> None:
        self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
        pages = Pages(self._scrape, "exporter", "gpu, <x>", self.config)
        self.server = Server(pages.answer, lambda: self.config().tls, self.limits)
        serving = asyncio.create_task(self.server.serve(self.listener))
        self.started.set()
        await self.stopped.wait()
        serving.cancel()

    def _scrape(self) -> str:
        self.scrapes += 1
        return self.scrape()

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection(self.address, timeout=DEADLINE_S)

    def ask(self, text: bytes) -> tuple[int, bytes]:
        """Send this, read to the end: status and body."""
        with self.connect() as sock:
            sock.sendall(text)
            return answer(sock)

    def stop(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.thread.join(DEADLINE_S)
        self.listener.close()


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """Read until the server closes; 0 when it closed without a word."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body
