"""The newest evaluated candidate → the version that Calypso serves, or every reason why it is not; what served goes on.

A promotion that died half-way is ended first, whoever began it. A candidate that the gate keeps out is no error; one
that is damaged, or does not prove itself on the server, is. How promotions ended is kept in the bucket; the project's
own list follows it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from workloads.errors import GateError, NodeError
from workloads.label import gate
from workloads.label.learning import candidates
from workloads.label.learning.candidates import EVALUATION, VERDICT
from workloads.label.learning.examples import first_unseen, seeds
from workloads.label.promoting import probes, steps, turn
from workloads.label.promoting.repository import Repository
from workloads.label.promoting.server import Server
from workloads.label.promoting.steps import Limits, Way
from workloads.label.promoting.turn import Step
from workloads.label.records import Arm, Evaluation, Item, Promotion, PromotionEnd, Verdict

if TYPE_CHECKING:
    from workloads.label.learning.candidates import Candidate
    from workloads.label.stages import Context, Report

PROMOTIONS = "promotions.jsonl"
STEPS = 5


def run(context: Context) -> Report:
    """Promote what waits. Raises GateError for a candidate that fails, LockedError, StoreError, ServiceError."""
    began = time.monotonic()
    if context.site.models is None or context.site.calypso is None:
        return {"result": "skipped: the site names no model repository, or no Calypso"}
    repository, server = Repository(context.site.models, context.params.name), Server(context.site.calypso)
    limits = Limits(latency_ms=context.params.gate.latency_ms)
    told: Report = {}
    try:
        if turn.interrupted(repository):
            with turn.taken(repository, context.run) as held:
                told = {"ended": _end(Way(repository, server, held, limits))}
        _follow(context, repository)
        candidate, why_not = waiting(context)
        if candidate is None:
            return {"result": f"nothing new: {why_not}", **told}
        with turn.taken(repository, candidate.run) as held:
            report = _promote(context, candidate, Way(repository, server, held, limits))
    finally:
        with contextlib.suppress(NodeError):
            _follow(context, repository)
    return {**report, **told, "seconds": round(time.monotonic() - began, 3)}


def waiting(context: Context) -> tuple[Candidate | None, str]:
    """The newest candidate, or why it does not wait for a promotion."""
    candidate = candidates.newest(context.work)
    if candidate is None:
        return None, "there is no candidate"
    verdict = context.work.one(Verdict, f"{candidates.FOLDER}/{candidate.run}/{VERDICT}")
    ended = [each for each in context.work.read(Promotion, PROMOTIONS) if each.run == candidate.run]
    why_not = over(verdict, ended, evaluated=(candidate.folder / EVALUATION).exists())
    why_not = why_not or ("" if candidate.here else "is not here, only its records: the next one is trained anew")
    return (None, f"the newest candidate {why_not}") if why_not else (candidate, "")


def over(verdict: Verdict | None, ended: list[Promotion], *, evaluated: bool) -> str:
    """What is said of a candidate that does not wait, empty for one that does. Pure.

    What was rolled back once, by a machine or a person, does not come again by itself.
    """
    if any(each.end is PromotionEnd.ROLLED_BACK for each in ended):
        return "was rolled back: the next one is trained with new reviews"
    if not evaluated:
        return "was not evaluated"
    if verdict and not verdict.passed:
        return f"was refused: {verdict.reasons[0]}"
    if verdict and any(each.ended_at >= verdict.at for each in ended):
        return f"had its promotion: {ended[-1].end}"
    return ""


def _promote(context: Context, candidate: Candidate, way: Way) -> Report:
    held, run = way.held, candidate.run
    if held.turn.step is not Step.BEGAN:  # somebody died a moment ago
        return {"result": f"skipped: {_end(way)}"}
    before = way.repository.serving()
    held.note(before=before)
    verdict = _decide(context, candidate, f"{way.model}:{before}" if before else None)
    if not verdict.passed:
        held.note(Step.REFUSED, detail="; ".join(verdict.reasons))
        return {"result": "refused", "run": run, **{f"reason_{n}": why for n, why in enumerate(verdict.reasons, 1)}}
    try:
        _tell(context, 1, "checking the candidate's files")
        known = _probes(context, candidate)
        _tell(context, 2, "uploading it")
        version = steps.upload(way, candidate.folder)
        _tell(context, 3, "trying it on Calypso")
        steps.trial(way, version, (candidate.folder / "model.onnx").read_bytes(), known)
    except GateError as error:
        held.note(Step.REFUSED, detail=error.what)
        raise
    _tell(context, 4, "switching and watching")
    held.note(Step.SWITCHED)
    if failed := steps.end(way):
        raise failed
    _tell(context, STEPS, "it serves")
    return {"result": "promoted", "run": run, "serving": f"{way.model}:{version}", "before": before}


def _tell(context: Context, done: int, what: str) -> None:
    context.tell(done, STEPS, what)


def _end(way: Way) -> str:
    """Bring a promotion that died to its end; what that was."""
    steps.end(way)
    return f"{way.model}:{way.held.turn.version} {way.held.turn.step}"


def _decide(context: Context, candidate: Candidate, serving: str | None) -> Verdict:
    """The gate's verdict, kept beside the candidate; one that passed is decided again after a kill, as then."""
    evaluation = Evaluation.model_validate_json((candidate.folder / EVALUATION).read_bytes())
    verdict = gate.decide(context.params, candidate.card, evaluation, serving, dt.datetime.now(dt.UTC))
    name = f"{candidates.FOLDER}/{candidate.run}/{VERDICT}"
    context.work.put(name, verdict.model_dump_json(indent=1).encode())
    return verdict


def _probes(context: Context, candidate: Candidate) -> list[probes.Probe]:
    """The candidate's questions, the same ones after a kill: what is uploaded is written once."""
    made = probes.make(candidate.folder, candidate.card, _texts(context))
    file = candidate.folder / probes.FILE
    if not file.exists():
        context.work.put(str(file.relative_to(context.work.folder)), TypeAdapter(list[probes.Probe]).dump_json(made))
    return probes.PROBES.validate_json(file.read_bytes())


def _texts(context: Context) -> list[str]:
    """The project's seeds, which are nobody's secret; else items that are not held out."""
    params = context.params
    if params.finetune.seeds:
        found = [each.text for each in seeds(params.folder / params.finetune.seeds, params.labels)]
    else:
        found = [item.text for item in context.work.read(Item, "items.jsonl") if item.arm is not Arm.TEST]
    return found[: probes.MOST]


def _follow(context: Context, repository: Repository) -> None:
    """Bring the project's own list to what the bucket says of its candidates; a kill loses nothing of it."""
    known = {(each.run, each.began_at) for each in context.work.read(Promotion, PROMOTIONS)}
    new = [
        _promotion(context, repository, each)
        for each in reversed(turn.history(repository))
        if each.step in turn.ENDED and (each.run, each.began_at) not in known and _here(context, each.run)
    ]
    if new:
        context.work.append(PROMOTIONS, new)


def _promotion(context: Context, repository: Repository, ended: turn.Turn) -> Promotion:
    """A turn as the project's list has it; `first_review_at` is None where the models' training is not known here."""
    before = ""
    with contextlib.suppress(NodeError):  # damaged in the bucket: who serves it must mend it, not this list
        before = repository.card(ended.before).run if ended.before else ""
    known = candidates.load(context.work, before).learned if _here(context, before) else []
    return Promotion(
        run=ended.run, model=repository.model, version=ended.version, before=ended.before, end=PromotionEnd(ended.step),
        detail=ended.detail, first_review_at=first_unseen(candidates.load(context.work, ended.run).learned, known),
        began_at=ended.began_at, ended_at=ended.alive_at,
    )  # fmt: skip


def _here(context: Context, run: str) -> bool:
    return bool(run) and context.work.path(candidates.FOLDER, run, candidates.RECIPE).exists()
