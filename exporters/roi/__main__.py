"""Flags → the running exporter of the label loop's figures: /metrics over HTTP, or one exposition on standard output.

    python3 -m exporters.roi [--web.listen-address=127.0.0.1:9811] [--path.workspace=/var/lib/sparkfleet/label] …
    python3 -I roi-exporter.pyz …                        the same, packed into one file
    python3 -m exporters.roi --once                      what one scrape would say

Reads roi.json, kept.json and recurring/ of each WORKSPACE/<project> at each scrape and writes nothing. Needs no
privilege but to read those.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.process_collector import ProcessCollector

from exporters.roi import VERSION, sources
from exporters.roi.families import build, families, read
from exporters.web.attend import attend
from exporters.web.exposition import exposition
from exporters.web.flags import add_web
from exporters.web.pages import Pages
from exporters.web.server import Server, listen
from exporters.web.web_config import Watched, WebConfigError

if TYPE_CHECKING:
    from exporters.roi.families import Projects

log = logging.getLogger("roi-exporter")

WORKSPACE = Path("/var/lib/sparkfleet/label")


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; 1 when the address or the web configuration cannot be used."""
    flags = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    scrapes = Scrapes(flags.workspace)
    if flags.once:
        sys.stdout.write(scrapes.text())
        return 0
    try:
        web = Watched(flags.web_config)
        listener = listen(*flags.listen)
        text = f"Version {VERSION}. Prometheus metrics of the label loop: what it brings, and what it costs."
        pages = Pages(scrapes.text, "ROI exporter", text, web.config)
        asyncio.run(attend(Server(pages.answer, lambda: web.config().tls), pages, listener))
    except (OSError, WebConfigError) as error:
        log.error("%s", error)  # noqa: TRY400  the text says it all
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Every flag."""
    flags = argparse.ArgumentParser(
        prog="roi-exporter", description="Prometheus metrics of the label loop's figures of return.", allow_abbrev=False
    )
    flags.add_argument("--version", action="version", version=f"roi-exporter {VERSION}")
    flags.add_argument("--once", action="store_true", help="print one exposition and end")
    add_web(flags, "127.0.0.1:9811")
    flags.add_argument(
        "--path.workspace", dest="workspace", metavar="PATH", type=Path, default=WORKSPACE,
        help="the folder that the projects' folders lie in (default %(default)s)",
    )  # fmt: skip
    return flags


class Scrapes:
    """One exposition after another; what cannot be read is logged when that is new."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._process = ProcessCollector(registry=None)
        self._faults: dict[str, str] = {}

    def text(self) -> str:
        """What the files say now. For one thread at a time."""
        return exposition(chain(families(self._read()), build(), self._process.collect()))

    def _read(self) -> Projects | None:
        projects: Projects | None = None
        try:
            projects = read(
                sources.texts(self._workspace),
                sources.recurring(self._workspace),
                sources.texts(self._workspace, sources.KEPT),
            )
        except OSError as error:
            faults = {str(self._workspace): str(error)}
        else:
            faults = {name: found for name, found in projects.items() if isinstance(found, str)}
        for name, fault in faults.items():
            if self._faults.get(name) != fault:
                log.warning("%s is not told: %r", name, fault)
        self._faults = faults
        return projects


if __name__ == "__main__":
    sys.exit(main())
