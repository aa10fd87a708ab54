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
RESTRICTED_FIX = (
    "it was started with --grpc-restricted-protocol, and the key or its value is not what it expects",
    "write its key and a reference to its value as calypso.restricted",
)
FIXES = {
    "UNAVAILABLE": (
        "the server is down, the port is that of its HTTP endpoint (8000, gRPC has 8001), or TLS is on one side only",
        "look at the server; calypso.url is http://HOST:8001, with https:// where it has a certificate",
    ),
    "DEADLINE_EXCEEDED": (
        "a firewall drops what is sent there, or the server is busy",
        "run the same command again; then look at the network",
    ),
    "PERMISSION_DENIED": RESTRICTED_FIX,  # of a proxy in front of it; the server itself says UNAVAILABLE
    "UNAUTHENTICATED": RESTRICTED_FIX,
}
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

    headers, parts = _headers(calypso), urllib.parse.urlsplit(calypso.url)
    client = InferenceServerClient(
        parts.netloc,
        ssl=parts.scheme == "https",
        channel_args=[("grpc.max_receive_message_length", MOST_BYTES)],
    )
    try:
        told = client.get_server_metadata(headers, client_timeout=TIMEOUT_S)
        return Server(printable(told.name), printable(told.version), _ready(client, headers))
    except InferenceServerException as error:
        raise _refusal(calypso.url, error, headers) from None
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
    value = secrets.resolve(calypso.restricted.value)
    if not (value.isascii() and value.isprintable()):
        raise CalypsoError(
            f"what calypso.restricted.value refers to cannot be sent to {calypso.url}: it is no line of ASCII text.",
            next_step="put the value alone into that file or variable",
        )
    return {RESTRICTED + calypso.restricted.key: value}


def _refusal(url: str, error: Any, headers: dict[str, str]) -> CalypsoError:
    """In our words. Whoever answers may send our own secret back: it is not shown."""
    status, said = str(error.status() or "").removeprefix("StatusCode."), str(error.message() or "no reason given")
    for value in headers.values():
        said = said.replace(value, "…")
    usually, next_step = RESTRICTED_FIX if "is restricted" in said else FIXES.get(status, OTHERWISE)
    return CalypsoError(
        f"Calypso ({url}) does not answer: {status}: {printable(said)}", usually=usually, next_step=next_step
    )
