"""The text of a project's file → its samples, all of them or UnreadableError: half a one would be wrong. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT = 1
Json = dict[str, Any]


class UnreadableError(Exception):
    """The file is not what the loop of this version writes."""


@dataclass(frozen=True)
class Sample:
    """One value of one metric; `metric` without the prefix."""

    metric: str
    labels: tuple[tuple[str, str], ...]
    value: float


def samples(text: str, project: str) -> list[Sample]:
    """Everything that a roi.json tells of the project whose folder it lies in."""
    return _samples(text, project, _told)


def run_samples(text: str, project: str) -> list[Sample]:
    """The same of what became of a recurring run."""
    return _samples(text, project, _run)


def kept_samples(text: str, project: str) -> list[Sample]:
    """The same of what became of keeping its records."""
    return _samples(text, project, _kept)


def _samples(text: str, project: str, told: Callable[[Json], Iterator[Sample]]) -> list[Sample]:
    try:
        read = json.loads(text, parse_constant=_refuse)
        if not isinstance(read, dict) or read.get("format") != FORMAT:
            raise UnreadableError(f"not of format {FORMAT}")
        if read["project"] != project:
            raise UnreadableError("it is another project's")
        found = list(told(read))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error
    if len({(one.metric, one.labels) for one in found}) < len(found):
        raise UnreadableError("it tells one thing twice")
    return found


def _told(roi: Json) -> Iterator[Sample]:
    yield from _one("figures_timestamp_seconds", _moment(roi["at"]))
    yield from _one("hourly_cost", roi["hourly_cost"], currency=roi["currency"])
    for state in ("converted", "quarantined"):
        yield from _one("documents", roi[state], state=state)
    yield from _one("documents", roi["documents"] - roi["converted"] - roi["quarantined"], state="waiting")
    for group, times in roi["groups"].items():
        yield from _lead_times(times, group=group)
    yield from _one("comparison_least_reviews", roi["least_reviews"])
    yield from _one("comparison_least_documents", roi["least_documents"])
    yield from _comparison(roi["comparison"] or {})
    for shown in roi["shown"]:
        yield from _shown(shown)
    yield from _held_out(roi["held_out"] or {})
    if agreed := roi["agreed"]:
        yield from _one("agreement_pairs", agreed["pairs"])
        yield from _one("agreement_alike_pairs", agreed["alike"])
        yield from _one("agreement_ratio", agreed["shared"])
    yield from _one("models_delivered", roi["delivered"])
    for delivery in roi["deliveries"]:
        yield from _delivery(delivery)
    if waiting := roi["waiting"]:
        yield from _one("waiting_reviews", waiting["reviews"])
        yield from _one("waiting_least_reviews", waiting["needed"])
        yield from _one("waiting_since_timestamp_seconds", _moment(waiting["oldest_at"]))
    yield from _backlog(roi["backlog"])
    yield from _cost(roi["cost"] or {}, roi["currency"])


def _run(last: Json) -> Iterator[Sample]:
    run = last["kind"]
    yield from _one("recurring_since_timestamp_seconds", _moment(last["since"]), run=run)
    yield from _one("recurring_done_timestamp_seconds", _moment(last["done_at"]), run=run)
    yield from _one("recurring_overdue_seconds", last["overdue_s"], run=run)
    yield from _one("recurring_failed", int(last["state"] == "failed"), run=run)
    yield from _one("recurring_gave_way", last["gave_way"], run=run)


def _kept(last: Json) -> Iterator[Sample]:
    yield from _one("kept_since_timestamp_seconds", _moment(last["since"]))
    yield from _one("kept_timestamp_seconds", _moment(last["kept_at"]))
    yield from _one("kept_failed", int(bool(last["told"])))


def _lead_times(times: Json, **labels: str) -> Iterator[Sample]:
    yield from _one("reviews", times["reviews"], **labels)
    yield from _one("reviews_skipped", times["skipped"], **labels)
    yield from _one("reviews_timed", times["timed"], **labels)
    yield from _one("reviews_capped", times["capped"], **labels)
    yield from _one("review_documents", times["documents"], **labels)
    yield from _one("reviewers", times["reviewers"], **labels)
    yield from _one("review_median_seconds", times["median_s"], **labels)
    yield from _one("review_mean_seconds", times["mean_s"], **labels)


def _comparison(found: Json) -> Iterator[Sample]:
    if not found:
        return
    for group in ("blank", "assisted"):
        yield from _one("comparison_reviews", found[group], group=group)
        yield from _one("comparison_documents", found[f"{group}_documents"], group=group)
    for end in ("", "_low", "_high"):
        yield from _one(f"comparison_speedup{end}_ratio", found[f"speedup{end}"])
        yield from _one(f"comparison_saved{end}_seconds", found[f"saved{end}_s"])


def _shown(shown: Json) -> Iterator[Sample]:
    model = shown["model"]
    for outcome in ("accepted", "edited", "rejected", "skipped"):
        yield from _one("shown_reviews", shown[outcome], model=model, outcome=outcome)
    yield from _one("shown_spans", shown["spans"], model=model)
    yield from _one("shown_spans_kept", shown["kept"], model=model)
    yield from _one("shown_spans_reviewed", shown["reviewed"], model=model)


def _held_out(found: Json) -> Iterator[Sample]:
    if not found:
        return
    labels = {"model": found["model"], "test_set": found["test_set"]}
    score = found["score"]
    yield from _one("held_out_items", found["items"], **labels)
    yield from _one("held_out_documents", found["documents"], **labels)
    yield from _one("held_out_spans", score["entities"], **labels)
    for name in ("precision", "recall", "f1"):
        yield from _one(f"held_out_{name}_ratio", score[name], **labels)
    for end in ("low", "high"):
        yield from _one(f"held_out_f1_{end}_ratio", score[end], **labels)


def _delivery(delivery: Json) -> Iterator[Sample]:
    model = delivery["model"]
    yield from _one("model_latency_seconds", delivery["seconds"], model=model)
    yield from _one("model_first_review_timestamp_seconds", _moment(delivery["first_review_at"]), model=model)
    yield from _one("model_serving_timestamp_seconds", _moment(delivery["serving_at"]), model=model)


def _backlog(backlog: Json) -> Iterator[Sample]:
    for state in ("open", "finished", "skipped"):
        yield from _one("items", backlog[state], state=state)
    yield from _one("items_published", backlog["published"])
    for month in backlog["months"]:
        name = month["month"]
        for what in ("added", "handled", "open"):
            yield from _one(f"month_{what}_items", month[what], month=name)
        for group, times in month["groups"].items():
            yield from _one("month_reviews_timed", times["timed"], month=name, group=group)
            yield from _one("month_review_median_seconds", times["median_s"], month=name, group=group)
    if forecast := backlog["forecast"]:
        yield from _one("forecast_days", forecast["days"])
        yield from _one("forecast_handled_items", forecast["handled"])
        yield from _one("forecast_daily_items", forecast["per_day"])
        for end in ("", "_early", "_late"):
            yield from _one(f"forecast_end{end}_timestamp_seconds", _moment(forecast[f"end{end}_at"]))


def _cost(cost: Json, currency: str) -> Iterator[Sample]:
    if not cost:
        return
    yield from _one("cost_items", cost["items"])
    yield from _one("cost_reviews", cost["reviews"])
    yield from _one("cost_reviews_timed", cost["timed"])
    yield from _one("item_seconds", cost["seconds"])
    yield from _one("item_cost", cost["money"], currency=currency)


def _one(metric: str, value: Any, **labels: str) -> Iterator[Sample]:
    """The sample, or none where the value is not known; TypeError for what is no number, or no name."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{metric} is no number")
    if not all(isinstance(name, str) and name.isprintable() for name in labels.values()):
        raise TypeError(f"{metric} is of nothing that has a name")
    yield Sample(metric, tuple(labels.items()), float(value))


def _moment(text: Any) -> float | None:
    """When, in seconds since 1970."""
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no figure")
