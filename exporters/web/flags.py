"""The flags that every exporter has: where it listens, and with which TLS and passwords."""

from __future__ import annotations

import argparse
from pathlib import Path


def address(text: str) -> tuple[str, int]:
    """HOST:PORT, [HOST]:PORT or :PORT (every interface) → host and port; port 0 takes a free one."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "::", int(port)


def add_web(flags: argparse.ArgumentParser, listen: str) -> None:
    """Add `listen` (HOST and port, by default as given) and `web_config`."""
    flags.add_argument("--web.listen-address", dest="listen", metavar="HOST:PORT", type=address, default=listen)
    flags.add_argument(
        "--web.config.file", dest="web_config", metavar="FILE", type=Path,
        help="TLS and passwords, as Prometheus' exporter-toolkit describes them",
    )  # fmt: skip
