"""A candidate's files → upload, trial, switch, proof, watch; and back. Each may be cut off and is done again.

The trial runs the candidate on the serving machine under another name, from bytes in the request: what does not load,
answers wrongly or is too slow never comes near config.pbtxt. The switch writes config.pbtxt and lets the server load
it: the server takes the new version before it lets go of the old one, and a restart comes back with what the file says.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.errors import GateError, NodeError, ServiceError
from workloads.label.promoting import probes, served
from workloads.label.promoting.turn import Step

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.promoting.probes import Probe
    from workloads.label.promoting.repository import Repository
    from workloads.label.promoting.server import Counted, Server
    from workloads.label.promoting.turn import Held

FILES = ("card.json", "model.onnx", "tokenizer.json", "evaluation.json", probes.FILE)
TRIAL = ".trial"  # no project's name has a dot
ROUNDS = 20  # questions of a proof, at least
SLOWEST = 0.95
PAUSE_S = 0.5
ENOUGH = 20  # failed requests: a share of them means something
# The store's times have no parts of a second, and a file of the same time is the same file to the server.
TICK_S = 1.1
TRIES = 4


@dataclass(frozen=True)
class Limits:
    """What a version must keep to."""

    latency_ms: float  # p95 of the proof's questions, mean of all requests during the watch
    watch_s: float = 10.0
    failed_share: float = 0.01  # of requests during the watch, beyond what the version before had


@dataclass(frozen=True)
class Way:
    """What a promotion works with."""

    repository: Repository
    server: Server
    held: Held
    limits: Limits

    @property
    def model(self) -> str:
        """Its name on the server."""
        return self.repository.model


def upload(way: Way, folder: Path) -> int:
    """The candidate's files as a version in the bucket; raises DamagedError, StoreError."""
    version = way.repository.add({name: folder / name for name in FILES})
    way.held.note(Step.UPLOADED, version=version)
    return version


def trial(way: Way, version: int, onnx: bytes, known: list[Probe]) -> None:
    """Run it on the server beside what serves; raises GateError, with nothing changed but that."""
    card, name = way.repository.card(version), f"{way.model}{TRIAL}"
    way.server.unload(name)  # of somebody who died
    try:
        config = way.server.as_json(served.render(name, version, card))
        way.server.load(name, config, {f"{version}/model.onnx": onnx})
        prove(way, name, version, known)
    finally:
        way.server.unload(name)


def end(way: Way) -> GateError | None:
    """From whatever was noted to the end: the noted version serves, or what served before does, and why."""
    version, before = way.held.turn.version, way.held.turn.before
    if version is None:
        raise GateError(f"{way.model}: the turn names no version")
    failed = None
    if way.held.turn.step is not Step.BACK:
        try:
            _switch(way, version, before)
        except GateError as error:
            failed = error
        else:
            way.held.note(Step.SERVING)
            return None
    failed = failed or GateError(way.held.turn.detail or "it was rolled back before this run")
    way.held.note(Step.BACK, detail=failed.what)
    _back(way, version, before)
    way.held.note(Step.ROLLED_BACK)
    return failed


def prove(way: Way, name: str, version: int, known: list[Probe]) -> None:
    """Ask what is known; raises GateError for a wrong answer, another version, or one that is too slow."""
    took = []
    for question in known * math.ceil(ROUNDS / len(known)):
        said = way.server.infer(name, question.tokens)
        if said.version != version:
            raise GateError(f"{name}: version {said.version} answers instead of {version}")
        if not question.answered_by(said.classes):
            raise GateError(
                f"{name}:{version} gives another answer than the model that was judged",
                usually="the server's runtime computes something else, or serves other bytes",
            )
        took.append(said.seconds * 1000)
    slow = sorted(took)[math.ceil(SLOWEST * len(took)) - 1]
    if slow > way.limits.latency_ms:
        raise GateError(f"{name}:{version} takes {slow:.1f} ms (p95); the budget is {way.limits.latency_ms:.1f} ms")


def _switch(way: Way, version: int, before: int | None) -> None:
    """Serve it and look at it for some time; raises GateError when it does not prove itself."""
    card = way.repository.card(version)
    known = probes.PROBES.validate_json(way.repository.read(version, probes.FILE))
    usual, first = _failed_share(way, before), way.server.counted(way.model, version)
    _serve(way, served.render(way.model, version, card), version, before)
    if way.server.run_of(way.model) != card.run:
        raise GateError(f"{way.model} does not name the run {card.run}")
    prove(way, way.model, version, known)
    _watch(way, version, known, usual, first)


def _serve(way: Way, config: str, version: int, before: int | None) -> None:
    """Name the version in config.pbtxt and have it loaded; raises GateError when the server does not take it."""
    for left in reversed(range(TRIES)):
        way.repository.point(config, before)
        try:
            way.server.load(way.model)
        except ServiceError:  # it restarts, perhaps: then it loads what config.pbtxt says by itself
            if not left:
                raise
        if way.server.serves(way.model, version):
            return
        time.sleep(TICK_S)
    raise GateError(f"{way.model}: the server does not serve version {version}, though it says that it loaded it")


def _watch(way: Way, version: int, known: list[Probe], usual: float, first: Counted) -> None:
    """Ask and count for as long as the limits say; raises GateError for too many failures or too slow answers."""
    until, asked, over = time.monotonic() + way.limits.watch_s, 0, False
    while not over:
        over = time.monotonic() >= until
        question = known[asked % len(known)]
        said = way.server.infer(way.model, question.tokens, patience_s=way.limits.watch_s)
        if not question.answered_by(said.classes):
            raise GateError(f"{way.model}:{version} gives another answer than before")
        seen = way.server.counted(way.model, version).since(first)
        # Callers pay for each moment of a bad version: once enough of them have told, the rest is not waited for.
        if over or seen.failed >= ENOUGH:
            _judge(way, f"{way.model}:{version}", seen, usual)
        asked += 1
        time.sleep(PAUSE_S)


def _judge(way: Way, name: str, seen: Counted, usual: float) -> None:
    """Raises GateError for a version that did too badly."""
    requests, mean = seen.succeeded + seen.failed, seen.seconds * 1000 / max(seen.succeeded, 1)
    if requests and seen.failed / requests > usual + way.limits.failed_share:
        raise GateError(f"{name} failed {seen.failed} of {requests} requests; before: {usual:.1%}")
    if mean > way.limits.latency_ms:
        told = f"{name} took {mean:.1f} ms a request (mean of {seen.succeeded})"
        raise GateError(f"{told}; the budget is {way.limits.latency_ms:.1f} ms")


def _failed_share(way: Way, version: int | None) -> float:
    """Of a version's requests; callers ask wrongly, too, and that is not the next version's fault."""
    seen = way.server.counted(way.model, version) if version else None
    return seen.failed / (seen.succeeded + seen.failed) if seen and seen.failed else 0.0


def _back(way: Way, version: int, before: int | None) -> None:
    """What served before serves again; without one, nothing does."""
    if before is None:
        way.repository.point(served.nothing(way.model), version)
        way.server.unload(way.model)
        return
    config = served.render(way.model, before, way.repository.card(before))
    try:
        _serve(way, config, before, version)
    except GateError as error:
        raise NodeError(
            f"{way.model}: version {before} does not come back: {error.what}",
            usually="its files in the bucket are damaged, or the server lacks room for it",
            next_step=f"look at the server; config.pbtxt names version {before} again.",
        ) from error
