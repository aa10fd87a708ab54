"""Requests → pages: /metrics, / and /-/healthy, behind a password if there is one."""

from __future__ import annotations

import asyncio
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporters.web.exposition import CONTENT_TYPE
from exporters.web.messages import Request, Response, plain
from exporters.web.passwords import Passwords
from exporters.web.worker import BusyError, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.web.web_config import WebConfig

HEALTHY_WITHIN_S = 2.0
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 3em; max-width: 40em }}</style></head>
<body><h1>{title}</h1>
<p>{text}</p>
<ul><li><a href="/metrics">Metrics</a></li><li><a href="/-/healthy">Health</a></li></ul>
</body></html>
"""


class Pages:
    """The site. Scrapes that come while one is being made share it; none is served that was ready before they came."""

    def __init__(self, scrape: Callable[[], str], title: str, text: str, config: Callable[[], WebConfig]) -> None:
        self._scrape, self._config, self._passwords = scrape, config, Passwords()
        self._worker = Worker("scrape", most=8)
        self._under_way: asyncio.Task[bytes] | None = None
        landing = PAGE.format(title=escape(title), text=escape(text))
        self._landing = Response(HTTPStatus.OK, landing.encode(), "text/html; charset=utf-8")

    async def answer(self, request: Request) -> Response:
        """The page that a request asks for, or a demand for a password; BusyError when too many wait for one."""
        users = self._config().users
        if users and not await self._passwords.allow(request.headers.get("authorization", ""), users):
            return plain(HTTPStatus.UNAUTHORIZED, WWW_Authenticate='Basic realm="metrics"')
        match request.path:
            case "/metrics":
                return Response(HTTPStatus.OK, await self._metrics(), CONTENT_TYPE)
            case "/":
                return self._landing
            case "/-/healthy":
                return plain(HTTPStatus.OK if await self.is_healthy() else HTTPStatus.SERVICE_UNAVAILABLE)
        return plain(HTTPStatus.NOT_FOUND)

    async def is_healthy(self) -> bool:
        """Whether a scrape would be answered soon."""
        try:
            async with asyncio.timeout(HEALTHY_WITHIN_S):
                await self._worker.run(lambda: None)
        except (TimeoutError, BusyError):
            return False
        return True

    async def _metrics(self) -> bytes:
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._worker.run(lambda: self._scrape().encode()))
            self._under_way.add_done_callback(self._ended)
        return await asyncio.shield(self._under_way)  # a client that goes away takes the scrape from nobody

    def _ended(self, _task: asyncio.Task[bytes]) -> None:
        self._under_way = None
