"""HTTP/1 in bytes → a request or its refusal; a response → bytes. Pure; as much of RFC 9112 as a GET needs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/(\d)\.(\d)")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([ -~\t\x80-\xff]*?)[ \t]*")
METHODS = ("GET", "HEAD")


class Refusal(Exception):  # noqa: N818  a refusal is an answer, not an error
    """A request that gets no more than this status; the connection is closed after it."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request without a body. The header's names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    keep_alive: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """What is said in return."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def request(head: bytes) -> Request:
    """The bytes up to the empty line → a request; Refusal says what is wrong with it."""
    first, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    found = REQUEST_LINE.fullmatch(first)
    if not found:
        raise Refusal(HTTPStatus.BAD_REQUEST)
    method, target, major, minor = found.groups()
    if major != "1":
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    headers = {}
    for line in lines:
        parts = FIELD.fullmatch(line)
        if not parts or (parts[1].lower() in headers and parts[1].lower() in ("host", "content-length")):
            raise Refusal(HTTPStatus.BAD_REQUEST)
        headers[parts[1].lower()] = parts[2]
    if minor != "0" and "host" not in headers:
        raise Refusal(HTTPStatus.BAD_REQUEST)
    if method not in METHODS:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # a GET for metrics has no body
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection if minor != "0" else "keep-alive" in connection
    return Request(method, target.partition("?")[0], headers, keep_alive)


def response_bytes(response: Response, *, with_body: bool = True, keep_alive: bool = False) -> bytes:
    """The response as it is sent."""
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Date: {date(int(time.time()))}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        "X-Content-Type-Options: nosniff",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + response.body if with_body else head


@lru_cache(1)
def date(second: int) -> str:
    """A second since 1970 as HTTP writes it."""
    return formatdate(second, usegmt=True)


def plain(status: HTTPStatus, **headers: str) -> Response:
    """A response that says its status and no more; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        named["Allow"] = ", ".join(METHODS)
    return Response(status, f"{status.value} {status.phrase}\n".encode(), headers=named)
