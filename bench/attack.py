"""Clients that mean no good → a web server; ends with counts as one line of JSON.

    python bench/attack.py PORT --seconds 20 [--scrapers 100] [--slow 100] [--garbage 10000]

A process of its own: what the attackers need of the processor is not to be charged to whoever measures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
ONCE = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
MEBIBYTE = 1 << 20
SLOW_S = 1.0
PAUSE_S = 0.05


class Attack:
    """So many of each kind, until `end` by the monotonic clock."""

    def __init__(self, port: int, end: float) -> None:
        self.port, self.end = port, end
        self.seen: Counter[str] = Counter()

    async def run(self, scrapers: int, slow: int, garbage: int) -> Counter[str]:
        """All at the same time; what was seen."""
        async with asyncio.TaskGroup() as group:
            for _ in range(scrapers):
                group.create_task(self.scrape())
            for number in range(slow):
                talk = (self.write_slowly, self.read_slowly, self.never_end)[number % 3]
                group.create_task(self.hold(talk.__name__, talk))
            if garbage:
                for number in range(20):
                    group.create_task(self.rave(garbage // 20, random.Random(number)))  # noqa: S311  garbage
        return self.seen

    async def scrape(self) -> None:
        """Scrapes one after another, without a pause."""
        while time.monotonic() < self.end:
            text = await self.ask(ONCE)
            self.seen["scrapes answered" if b" 200 " in text[:20] else "scrapes refused"] += 1

    async def ask(self, text: bytes) -> bytes:
        """One connection, one request; b"" when there is no answer."""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(text)
                return await asyncio.wait_for(reader.read(), 30)
            finally:
                writer.close()
        return b""

    async def hold(self, name: str, talk: Talk) -> None:
        """One connection after another, each as soon as the server has closed the one before."""
        while time.monotonic() < self.end:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024)
                self.seen[name] += 1
                try:
                    await talk(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(PAUSE_S)

    async def write_slowly(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A byte a second of a request that never ends."""
        for byte in REQUEST[:-2] + b"x" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(SLOW_S)
            if time.monotonic() > self.end:
                return

    async def read_slowly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A thousand requests at once, and a byte a second of the answers."""
        writer.transport.set_write_buffer_limits(MEBIBYTE)
        writer.write(REQUEST * 1000)
        while time.monotonic() < self.end and await reader.read(1):  # noqa: ASYNC110  slow is what it is to be
            await asyncio.sleep(SLOW_S)

    async def never_end(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A header line without an end, as fast as it is taken."""
        writer.write(b"GET / HTTP/1.1\r\nA: ")
        while time.monotonic() < self.end:
            writer.write(b"x" * 4096)
            await writer.drain()

    async def rave(self, requests: int, chance: random.Random) -> None:
        """Requests that are none."""
        kinds = (
            lambda: chance.randbytes(chance.randrange(1, 300)) + b"\r\n\r\n",
            lambda: (
                b"GET /" + chance.randbytes(8).hex().encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            ),
            lambda: b"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
            lambda: b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
            lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
        )
        for number in range(requests):
            text = await self.ask(kinds[number % len(kinds)]())
            status = text[9:12].decode("ascii", "replace") if text else "closed"
            self.seen[f"garbage {status}"] += 1


def main() -> None:
    """Attack, and say what came back."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("port", type=int)
    flags.add_argument("--seconds", type=float, default=20)
    flags.add_argument("--scrapers", type=int, default=0)
    flags.add_argument("--slow", type=int, default=0)
    flags.add_argument("--garbage", type=int, default=0)
    asked = flags.parse_args()
    attack = Attack(asked.port, time.monotonic() + asked.seconds)
    print(json.dumps(asyncio.run(attack.run(asked.scrapers, asked.slow, asked.garbage))))


if __name__ == "__main__":
    main()
