"""A server and its pages → a program that its service manager can watch: ready, alive, and ended by a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from exporters.web import systemd

if TYPE_CHECKING:
    import socket

    from exporters.web.pages import Pages
    from exporters.web.server import Server

log = logging.getLogger(__name__)


async def attend(server: Server, pages: Pages, listener: socket.socket) -> None:
    """Serve until a signal comes; whatever ends the server before that ends the exporter."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve(listener))
    alive = asyncio.create_task(beat(pages))
    log.info("listening on %s port %d", *listener.getsockname()[:2])
    systemd.notify("READY=1")
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    systemd.notify("STOPPING=1")
    alive.cancel()
    if not serving.cancel():
        await serving


async def beat(pages: Pages) -> None:
    """Tell systemd's watchdog that scrapes are answered, as long as they are."""
    interval_s = systemd.watchdog_s()
    while interval_s:
        if await pages.is_healthy():
            systemd.notify("WATCHDOG=1")
        await asyncio.sleep(interval_s)
