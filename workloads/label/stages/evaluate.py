"""The newest candidate and the model that serves → evaluation.json: both on the very same held-out items.

Held out are people's reviews of items that no model ever helped with. Before there are any, the very first model is
judged on the seeds that were kept apart from its training. A candidate is judged once; again only when another model
serves, or when it had been on fewer documents than the gate wants: each further look would be one more chance for a
model that is no better to seem so.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import TYPE_CHECKING

from workloads.label import gate, testset
from workloads.label.comparing.result import comparisons, looks
from workloads.label.learning import calibration, candidates, scoring, serving
from workloads.label.learning.candidates import EVALUATION, VERDICT
from workloads.label.learning.examples import seeds
from workloads.label.learning.model import Model
from workloads.label.learning.scoring import Question
from workloads.label.params import ALL
from workloads.label.records import Evaluation

if TYPE_CHECKING:
    from workloads.label.learning.candidates import Candidate
    from workloads.label.learning.decode import Said
    from workloads.label.learning.serving import Serving
    from workloads.label.stages import Context, Report

SEEDS = "seeds"  # in the place of a version of the test set
TIMED, WARMING = 200, 5  # items
SLOWEST = 0.95


def run(context: Context) -> Report:
    """Judge the newest candidate, unless that is done. Raises DamagedError, MissingModelError, StoreError."""
    began = time.monotonic()
    candidate, served = candidates.newest(context.work), serving.served(context)
    if candidate is None:
        return {"result": "nothing new: there is no candidate"}
    version, questions = held_out(context, candidate)
    why_not = judged_already(context, candidate, served, version)
    why_not = why_not or ("" if candidate.here else "of the newest candidate only the records are here")
    if why_not or not questions:
        return {"result": f"nothing new: {why_not or 'nobody has reviewed a held-out item yet'}"}
    evaluation, error = judge(context, candidate, served, version, questions)
    # A verdict on an older evaluation is none any more. It goes first: a kill in between leaves no wrong pair.
    (candidate.folder / VERDICT).unlink(missing_ok=True)
    context.work.put(f"{candidates.FOLDER}/{candidate.run}/{EVALUATION}", evaluation.model_dump_json(indent=1).encode())
    return {
        "result": "judged", "run": candidate.run, "test_set": version, "serving": evaluation.serving,
        "items": evaluation.items, "documents": evaluation.documents, "entities": evaluation.candidate[ALL].entities,
        "f1": round(evaluation.candidate[ALL].f1, 4), "f1_low": round(evaluation.candidate[ALL].low, 4),
        "f1_serving": round(evaluation.incumbent[ALL].f1, 4) if evaluation.incumbent else None,
        "difference_low": round(evaluation.difference_low, 4) if evaluation.difference_low is not None else None,
        "latency_ms": round(evaluation.latency_ms, 2), "calibration_error": error,
        "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def held_out(context: Context, candidate: Candidate) -> tuple[str, list[Question]]:
    """The newest test set; where there is none, what the first model's training kept apart of the seeds."""
    if held := testset.newest(context.work):
        return held.version, scoring.asked(held)
    apart, file = (
        {each.digest for each in candidate.learned if each.apart and each.at is None},
        context.params.finetune.seeds,
    )
    if not apart or not file:
        return "", []
    every = seeds(context.params.folder / file, context.params.labels)
    return SEEDS, [Question(each.document, each.text, each.spans) for each in every if each.digest in apart]


def judged_already(context: Context, candidate: Candidate, served: Serving | None, version: str) -> str:
    """Why there is nothing to judge; empty when there is."""
    if served and served.run == candidate.run:
        return "the newest candidate is the one that serves"
    before = context.work.one(Evaluation, f"{candidates.FOLDER}/{candidate.run}/{EVALUATION}")
    if before is None:
        return ""
    grew = before.test_set != version and (
        before.test_set == SEEDS or before.documents < context.params.gate.least_documents
    )
    another = before.serving != (served.name if served else None)
    return "" if grew or another else f"the newest candidate was judged on {before.test_set}"


def judge(
    context: Context, candidate: Candidate, served: Serving | None, version: str, questions: list[Question]
) -> tuple[Evaluation, float | None]:
    """Both models on the same questions; and how far the candidate's scores are from the truth."""
    params, labels = context.params, context.params.labels
    models = [
        Model(each, params.preannotate.overlap_tokens) for each in (candidate.folder, served and served.folder) if each
    ]
    said: list[list[Said]] = []
    for number, model in enumerate(models, 1):
        said.append(model.say([each.text for each in questions], params.preannotate.batch))
        context.tell(number, len(models), "models asked")
    found = [scoring.counts(questions, [one.spans for one in told], labels) for told in said]
    scored = [scoring.scores(each, labels) for each in found]
    confidence = gate.shared(params.gate.confidence, looks(comparisons(context.work), candidate.run))
    whole = [each.sum(axis=1) for each in found]
    lead, least = gate.improvement(whole[0], whole[1], confidence) if served else (None, None)
    told = [span for one in said[0] for span in one.spans]
    right = [
        (span.start, span.end, span.label) in {(true.start, true.end, true.label) for true in each.truth}
        for each, one in zip(questions, said[0], strict=True) for span in one.spans
    ]  # fmt: skip
    error = calibration.error([span.score or 0.0 for span in told], right)
    return Evaluation(
        run=candidate.run, serving=served.name if served else None, test_set=version, items=len(questions),
        documents=len(found[0]), candidate=scored[0], incumbent=scored[1] if served else None, difference=lead,
        difference_low=least, confidence=confidence,
        latency_ms=latency_ms(Model(candidate.folder, params.preannotate.overlap_tokens, alone=True), questions),
        at=dt.datetime.now(dt.UTC),
    ), None if error is None else round(error, 4)  # fmt: skip


def latency_ms(model: Model, questions: list[Question]) -> float:
    """p95 of one item at a time, from its text to its spans; of some hundred of them, warmed up."""
    took = []
    for number, question in enumerate([*questions[:WARMING], *questions[:TIMED]]):
        began = time.perf_counter()
        model.say([question.text], 1)
        if number >= min(WARMING, len(questions)):
            took.append((time.perf_counter() - began) * 1000)
    return sorted(took)[math.ceil(SLOWEST * len(took)) - 1]
