"""Prometheus → what a status and its plots are made of: the questions, and the only place that asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.model import Role
from sparkfleet.monitoring.decide import EXPORTER_JOB, ICMP_JOB, METRICS, PREFIX, SSH_JOB
from sparkfleet.monitoring.status import Answers, Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkfleet.model import Fleet
    from sparkfleet.monitoring.prometheus import Prometheus, Sample

MISSED_SCRAPES = 3  # so many later a value is old; one or two are lost in any network
LEAST_STALE_S = 15.0
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
EVERYTHING = "|".join(["up", *(PREFIX + name for name in METRICS)])
# `timestamp` is that of the sample, where the value's own would be the time of the question.
SCRAPED = f'timestamp(up{{job="{EXPORTER_JOB}"}})'
# The second looks back over a day minute by minute: what was lost just now is found more exactly by the first.
LAST_ANSWER = " or ".join(
    f'max by (instance) (max_over_time(timestamp({PREFIX}collector_success{{job="{EXPORTER_JOB}"}})[{window}]))'
    for window in ("5m:1s", "1d:1m")
)


def asked(fleet: Fleet, hosts: Sequence[str]) -> Asked:
    """The question in terms of the description."""
    stale_s = max(LEAST_STALE_S, MISSED_SCRAPES * seconds(fleet.monitor.scrape_interval))
    return Asked(fleet.fleet, tuple(hosts), frozenset(fleet.with_role(Role.EXPORTER)), stale_s)


def answers(prometheus: Prometheus) -> Answers:
    """Ask all of it; raises PrometheusError. One question more for each host that is silent."""
    selector = f'{{__name__=~"{EVERYTHING}",job="{EXPORTER_JOB}"}} or probe_success{{job=~"{ICMP_JOB}|{SSH_JOB}"}}'
    samples = prometheus.query(selector)
    scraped = prometheus.query(SCRAPED)
    now_s = scraped[0].at_s if scraped else prometheus.query("vector(time())")[0].at_s
    silent = {s.labels.get("instance", "") for s in samples if s.name == "up" and s.value != 1}
    return Answers(
        now_s,
        tuple(samples),
        {s.labels.get("instance", ""): s.value for s in scraped},
        {name: last for name in silent if (last := _last(prometheus, name))} if silent else {},
        tuple(prometheus.rules()),
    )


def _last(prometheus: Prometheus, host: str) -> tuple[float, tuple[Sample, ...]] | None:
    """When the host last answered within a day, at most a minute too early, and what it said then."""
    name = quoted(host)
    found = prometheus.query(LAST_ANSWER.replace('job="', f'instance={name},job="'))
    if not found:
        return None
    at_s = found[0].value
    selector = f'{{__name__=~"{EVERYTHING}",job="{EXPORTER_JOB}",instance={name}}}'
    return at_s, tuple(prometheus.query(selector, at_s=at_s))


def quoted(text: str) -> str:
    """A PromQL string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def seconds(duration: str) -> float:
    """A duration as Prometheus writes it, `15s`; the description allows one number with one unit."""
    number = duration.rstrip("mshdwy")
    return float(number) * UNITS_S[duration.removeprefix(number)]
