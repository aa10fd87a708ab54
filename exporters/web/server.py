"""Connections → answers: a small HTTP/1.1 server that stays small whatever is done to it.

One thread, an event loop; at most `Limits.connections` at a time. When a further one comes, one of the address that
has most is closed for it, the one that has kept the server waiting longest: a client that asks and reads at once is
answered even while others fill every place with half a request. Every stage of a connection has a deadline of its own,
however busily bytes trickle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporters.web.messages import Refusal, Request, Response, plain, request, response_bytes
from exporters.web.worker import BusyError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

END_OF_HEAD = b"\r\n\r\n"
NO_DESCRIPTORS_PAUSE_S = 0.1
TLS_GOODBYE_S = 1.0
LINGER_BYTES, LINGER_S = 65536, 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all together, may ask for."""

    connections: int = 128
    request_bytes: int = 8192  # request line and header; Prometheus needs some 300
    handshake_s: float = 5
    request_s: float = 5  # from the first byte to the empty line
    handle_s: float = 10
    answer_s: float = 10  # until the client's side has taken the whole answer
    idle_s: float = 180  # between two requests; longer than any sensible scrape interval


@dataclass(slots=True)
class Counts:
    """What the server did since it started."""

    requests: Counter[int] = field(default_factory=Counter)  # by status code
    refused: int = 0  # connections closed for want of room, before or after they asked


class Stage(IntEnum):
    """What a connection is at, in the order in which it has to give way to another."""

    WAITED_FOR = 0  # handshake, between requests, within a request: the client is to act
    ANSWERED = 1  # the client is to read
    HANDLED = 2  # ours to act: never closed for another


class Connection:
    """One accepted socket."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.socket, self.address, self.stage, self.since = sock, address, Stage.WAITED_FOR, time.monotonic()
        self.task: asyncio.Task[None] | None = None

    def enter(self, stage: Stage) -> None:
        """The next stage begins now."""
        self.stage, self.since = stage, time.monotonic()


class Server:
    """Serves what `handle` answers; `tls` is asked at each connection, so that certificates can be renewed."""

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Response]],
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        limits: Limits | None = None,
    ) -> None:
        self._handle, self._tls, self._limits = handle, tls, limits or Limits()
        self._connections: set[Connection] = set()
        self.counts = Counts()

    async def serve(self, listener: socket.socket) -> None:
        """Accept until cancelled; then every connection is closed."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                try:
                    sock, address = await loop.sock_accept(listener)
                except OSError as error:  # out of file descriptors, or the client has gone already
                    log.warning("accept: %s", error)
                    await asyncio.sleep(NO_DESCRIPTORS_PAUSE_S)
                    continue
                if self._make_room():
                    connection = Connection(sock, address[0])
                    self._connections.add(connection)
                    connection.task = asyncio.create_task(self._converse(connection))
                    await asyncio.sleep(0)  # or pending ones are accepted, and closed again, before any is listened to
                else:
                    sock.close()
        finally:
            for connection in self._connections:
                if connection.task:
                    connection.task.cancel()

    def _make_room(self) -> bool:
        """Whether another connection may come, if need be at the cost of one of the client that has most of them."""
        if len(self._connections) < self._limits.connections:
            return True
        self.counts.refused += 1
        held = Counter(connection.address for connection in self._connections)
        idle = [connection for connection in self._connections if connection.stage is not Stage.HANDLED]
        last = min(idle, key=lambda one: (-held[one.address], one.stage, one.since), default=None)
        if last is None or last.task is None:
            return False
        self._connections.discard(last)
        last.task.cancel()
        return True

    async def _converse(self, connection: Connection) -> None:
        """One connection from handshake to close; it ends by itself, by a deadline or by being cancelled."""
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await self._open(connection.socket)
            while await self._exchange(connection, reader, writer):
                pass
            writer.close()
        except (OSError, TimeoutError, EOFError):  # gone, too slow, or no TLS: ssl.SSLError is an OSError
            pass
        finally:
            self._connections.discard(connection)
            if writer is None:
                connection.socket.close()
            elif not writer.is_closing():
                writer.transport.abort()  # close() would wait for a client that does not read

    async def _open(self, sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The socket as streams, after the TLS handshake if there is to be one."""
        loop = asyncio.get_running_loop()
        context = self._tls()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = asyncio.StreamReader(limit=self._limits.request_bytes)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=context,
            ssl_handshake_timeout=self._limits.handshake_s if context else None,
            ssl_shutdown_timeout=TLS_GOODBYE_S if context else None,
        )  # fmt: skip
        transport.set_write_buffer_limits(0)  # drain() then waits until all is sent
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _exchange(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request and its answer; whether another may follow."""
        connection.enter(Stage.WAITED_FOR)
        asked: Request | None = None
        try:
            asked = request(await self._read_head(reader))
            connection.enter(Stage.HANDLED)
            async with asyncio.timeout(self._limits.handle_s):
                response = await self._handle(asked)
        except Refusal as refusal:
            response = plain(refusal.status)
        except TimeoutError:
            response = plain(HTTPStatus.SERVICE_UNAVAILABLE if asked else HTTPStatus.REQUEST_TIMEOUT)
        except BusyError:
            response = plain(HTTPStatus.SERVICE_UNAVAILABLE)
        except (OSError, EOFError):  # the client's doing
            raise
        except Exception:
            log.exception("a page failed")
            response = plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        keep_alive = asked is not None and asked.keep_alive
        self.counts.requests[response.status.value] += 1
        connection.enter(Stage.ANSWERED)
        async with asyncio.timeout(self._limits.answer_s):
            with_body = asked is None or asked.method != "HEAD"
            writer.write(response_bytes(response, with_body=with_body, keep_alive=keep_alive))
            await writer.drain()
        if asked is None:
            await linger(reader, writer)
        return keep_alive

    async def _read_head(self, reader: asyncio.StreamReader) -> bytes:
        """All up to the empty line. Refusal when it is too long; TimeoutError when it takes too long; EOFError."""
        try:
            async with asyncio.timeout(self._limits.idle_s):
                first = await reader.readexactly(1)
        except TimeoutError:
            raise EOFError from None  # nothing was asked: nothing is answered
        try:
            async with asyncio.timeout(self._limits.request_s):
                return first + await reader.readuntil(END_OF_HEAD)
        except asyncio.LimitOverrunError:
            raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None


async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read some more after a refusal: a socket closed with unread bytes takes back what was answered (TCP reset)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            if writer.can_write_eof():
                writer.write_eof()
            left = LINGER_BYTES
            while left > 0 and (chunk := await reader.read(4096)):
                left -= len(chunk)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; OSError when the address is taken or not ours. `::` is every interface, IPv4 too."""
    both = host == "::" and socket.has_dualstack_ipv6()
    if host == "::" and not both:  # a kernel without IPv6
        host = "0.0.0.0"  # noqa: S104  what was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Were the queue full, the kernel would drop a fair scraper's SYN, which comes again only after a second.
    return socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
