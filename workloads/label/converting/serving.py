"""Pictures of pages → what a model says of them, asked of the one process that has it, over a socket handed down.

A frame is the lengths of both parts, a head of JSON and a body of bytes. Both ends check what they get: a worker may be
in a document's hands, and whoever does not keep to this is cut off.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pydantic import Field

from workloads.label.converting.messages import Reader
from workloads.label.records import Count, Record

if TYPE_CHECKING:
    import socket

LENGTHS = struct.Struct("=II")
MOST_HEAD_BYTES, MOST_BODY_BYTES = 16 << 20, 256 << 20
MOST_PAGES = 64  # of one question
GONE = 75  # a worker's exit code: it got no answer from the server (EX_TEMPFAIL of sysexits.h)


class GoneError(Exception):
    """The server is dead, hangs, or says what is no answer."""


class Question(Record):
    """What the body holds: pages as `sizes` (width, height) says, in RGB; `prompts` are those of a vision model."""

    reader: Reader
    sizes: list[tuple[Count, Count]] = Field(min_length=1, max_length=MOST_PAGES)
    prompts: list[str] = Field(default_factory=list, max_length=MOST_PAGES)

    @property
    def bytes(self) -> int:
        """Of the body."""
        return sum(3 * width * height for width, height in self.sizes)


class Boxes(Record):
    """What a layout model saw on a page, in its dots."""

    labels: list[int]
    scores: list[float]
    boxes: list[tuple[float, float, float, float]]


class Told(Record):
    """The answer: one of both, as long as the question; `error` when the model failed on it."""

    boxes: list[Boxes] = Field(default_factory=list)
    texts: list[str] = Field(default_factory=list)
    error: str = ""


def ask(line: socket.socket, question: Question, body: bytes) -> Told:
    """The server's answer; raises GoneError when there is none in the line's time, ValueError when the model failed."""
    try:
        send(line, question, body)
        told = Told.model_validate_json(receive(line)[0])
    except (OSError, EOFError, ValueError) as error:
        raise GoneError(str(error)) from None
    if told.error:
        raise ValueError(told.error)
    if len(told.boxes or told.texts) != len(question.sizes):
        raise GoneError("an answer of another length")
    return told


def send(line: socket.socket, head: Record, body: bytes = b"") -> None:
    """One frame."""
    words = head.model_dump_json().encode()
    line.sendall(LENGTHS.pack(len(words), len(body)) + words)
    line.sendall(body)


def receive(line: socket.socket) -> tuple[bytearray, bytearray]:
    """Head and body of a frame; raises EOFError at its end, ValueError when it is too long."""
    head, body = LENGTHS.unpack(_exactly(line, LENGTHS.size))
    if head > MOST_HEAD_BYTES or body > MOST_BODY_BYTES:
        raise ValueError("a frame that is too long")
    return _exactly(line, head), _exactly(line, body)


def _exactly(line: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view, done = memoryview(data), 0
    while done < length:
        got = line.recv_into(view[done:])
        if not got:
            raise EOFError("the other end is closed")
        done += got
    return data
