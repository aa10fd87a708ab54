"""A Triton server's gRPC endpoint → what it says of itself: name, version, whether it is ready. Changes nothing.

Its metadata does not tell which container it runs in: that is described (`calypso.variant`), never guessed.
"""

from __future__ import annotations

import os
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkfleet import secrets
from sparkfleet.errors import UnreachableError
from sparkfleet.text import printable

if TYPE_CHECKING:
    from sparkfleet.fitness import Calypso

TIMEOUT_S = 10.0  # for each question
MOST_BYTES = 1 << 20  # of an answer; the list of extensions is the longest part
RESTRICTED = "triton-grpc-protocol-"  # what the server puts before the KEY of --grpc-restricted-protocol
FIXES = {
    "UNAVAILABLE": (
        "the server is down, the port is that of its HTTP endpoint (8000, gRPC has 8001), or TLS is on one side only",
        "look at the server; calypso.url is http://HOST:8001, with https:// where it has a certificate",
    ),
    "DEADLINE_EXCEEDED": (
        "a firewall drops what is sent there, or the server is busy",
        "run the same command again; then look at the network",
    ),
    "PERMISSION_DENIED": (
        "it was started with --grpc-restricted-protocol",
        "write its key and a reference to its value as calypso.restricted",
    ),
}
FIXES["UNAUTHENTICATED"] = FIXES["PERMISSION_DENIED"]
OTHERWISE = ("another program listens there", "check calypso.url")


class CalypsoError(UnreachableError):
    """The server does not answer, or refuses to; `spark` ends with the code of a host that is not reached."""


@dataclass(frozen=True)
class Server:
    """What the server said. `version` is the server's own (2.63.0), not its container's (25.11)."""

    name: str
    version: str
    ready: bool


def ask(calypso: Calypso) -> Server:
    """The server at `calypso.url`; raises CalypsoError, or SparkfleetError for a reference that leads nowhere."""
    # Before gRPC is loaded: its core writes to stderr by itself, what it says is in the error, too.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from tritonclient.grpc import InferenceServerClient, InferenceServerException

    parts = urllib.parse.urlsplit(calypso.url)
    client = InferenceServerClient(
        parts.netloc,
        ssl=parts.scheme == "https",
        channel_args=[("grpc.max_receive_message_length", MOST_BYTES)],
    )
    try:
        headers = _headers(calypso)
        told = client.get_server_metadata(headers, client_timeout=TIMEOUT_S)
        return Server(printable(told.name), printable(told.version), _ready(client, headers))
    except InferenceServerException as error:
        raise _refusal(calypso.url, error) from None
    finally:
        client.close()


def _ready(client: Any, headers: dict[str, str]) -> bool:
    """Whether it takes requests. Not while a model unloads or failed, so it says nothing about alignment."""
    from tritonclient.grpc import InferenceServerException

    try:
        return bool(client.is_server_ready(headers, client_timeout=TIMEOUT_S))
    except InferenceServerException:  # health may be restricted on its own
        return False


def _headers(calypso: Calypso) -> dict[str, str]:
    if calypso.restricted is None:
        return {}
    return {RESTRICTED + calypso.restricted.key: secrets.resolve(calypso.restricted.value)}


def _refusal(url: str, error: Any) -> CalypsoError:
    status = str(error.status() or "").removeprefix("StatusCode.")
    usually, next_step = FIXES.get(status, OTHERWISE)
    said = printable(str(error.message() or "no reason given"))
    return CalypsoError(f"Calypso ({url}) does not answer: {status}: {said}", usually=usually, next_step=next_step)
