"""What goes between workers and the models' server: frames come through whole, or their sender is cut off."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.converting import server, serving
from workloads.label.converting.messages import Reader
from workloads.label.converting.server import Asked
from workloads.label.converting.serving import Boxes, GoneError, Question, Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=9)
WITHIN_S = 20.0


def width(pages: Sequence[tuple[tuple[int, int], bytearray]], _prompts: list[str]) -> list[Boxes]:
    """A model that tells a page's first dot as its label; it fails on black pages, whoever asks with them."""
    if any(dots[0] == 0 for _, dots in pages):
        raise ValueError("a black page")
    return [Boxes(labels=[dots[0]], scores=[1.0], boxes=[(0, 0, *size)]) for size, dots in pages]


def body(sizes: list[tuple[int, int]], dots: list[int]) -> bytes:
    """Pages of one colour each."""
    return b"".join(bytes([dot]) * (3 * w * h) for (w, h), dot in zip(sizes, dots, strict=True))


@contextlib.contextmanager
def listening() -> Iterator[tuple[socket.socket, queue.Queue[Asked]]]:
    """A worker's end of a line, and the questions that came in at the other."""
    own, other = socket.socketpair()
    waiting: queue.Queue[Asked] = queue.Queue()
    listener = threading.Thread(target=server._listen, args=(other, {Reader.LAYOUT}, waiting))
    listener.start()
    own.settimeout(WITHIN_S)
    with own:
        yield own, waiting
    listener.join(WITHIN_S)
    assert not listener.is_alive()


@given(st.lists(SIZES, min_size=1, max_size=4), st.data())
def test_every_worker_gets_the_answer_to_its_own_pages(
    questions: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Batched with others, in any number and size; a page that fails the model costs its own question alone."""
    lines, asked, wanted = [], [], []
    for sizes in questions:
        own, other = socket.socketpair()
        own.settimeout(WITHIN_S)
        dots = data.draw(st.lists(st.integers(0, 255), min_size=len(sizes), max_size=len(sizes)))
        question = Question(reader=Reader.LAYOUT, sizes=sizes)
        asked.append(Asked(other, question, bytearray(body(sizes, dots))))
        lines.append((own, other))
        wanted.append(dots)
    server.answer(width, asked)
    for (own, other), sizes, dots in zip(lines, questions, wanted, strict=True):
        with own, other:
            told = Told.model_validate_json(serving.receive(own)[0])
            assert bool(told.error) == (0 in dots)
            if not told.error:
                assert [(each.labels, each.boxes) for each in told.boxes] == [
                    ([dot], [(0, 0, *size)]) for size, dot in zip(sizes, dots, strict=True)
                ]


@given(st.binary(max_size=200))
def test_noise_in_place_of_a_question_is_no_question(noise: bytes) -> None:
    """The line is closed, or waits for more; nothing comes through and nothing is raised."""
    with listening() as (own, waiting):
        with contextlib.suppress(OSError):
            own.sendall(noise)
            own.shutdown(socket.SHUT_WR)
            assert own.recv(1) == b""
        assert waiting.empty()


@pytest.mark.parametrize(
    "question",
    [Question(reader=Reader.LAYOUT, sizes=[(2, 3)]), Question(reader=Reader.VISION, sizes=[(2, 2)])],
)
def test_a_question_that_does_not_hold_what_it_says_is_cut_off(question: Question) -> None:
    """Fewer dots than its sizes say, or for a model that is not served."""
    with listening() as (own, waiting):
        serving.send(own, question, bytes(12))
        assert own.recv(1) == b""
        assert waiting.empty()


@pytest.mark.parametrize("answer", [b"", b"\xff" * 8, serving.LENGTHS.pack(2, 0) + b"{}", serving.LENGTHS.pack(9, 0)])
def test_whoever_gets_no_answer_knows_it(answer: bytes) -> None:
    """A dead server, one whose frame is too long, one that tells of no page, and one that dies in the middle."""
    own, other = socket.socketpair()
    with own:
        other.sendall(answer)
        other.shutdown(socket.SHUT_WR)
        with pytest.raises(GoneError):
            serving.ask(own, Question(reader=Reader.LAYOUT, sizes=[(1, 1)]), bytes(3))
        other.close()


@given(st.lists(SIZES, min_size=1, max_size=9), st.integers(1, 32))
def test_a_batch_takes_what_waits_until_it_is_full(waits: list[list[tuple[int, int]]], most: int) -> None:
    """In their order, none left out, and no question begun after the batch is full."""
    line = socket.socket()
    waiting: queue.Queue[Asked] = queue.Queue()
    for sizes in waits:
        waiting.put(Asked(line, Question(reader=Reader.LAYOUT, sizes=sizes), bytearray()))
    done: list[list[tuple[int, int]]] = []
    while not waiting.empty():
        batch = [asked.question.sizes for asked in server.taken(waiting, most)[Reader.LAYOUT]]
        assert sum(map(len, batch[:-1])) < most
        done += batch
    line.close()
    assert done == waits
