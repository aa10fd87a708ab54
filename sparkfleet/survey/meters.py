"""A resource of the stack and a month's usage → what is charged for it, and how much of that. Pure.

Storage is counted as S3 Standard whatever a lifecycle rule makes of it later: that is dearer than what comes. Numbers
of requests are whole months of the declared usage; a month has 730 hours, as in AWS's own examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sparkfleet.forms import seconds
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sparkfleet.cloud.planned import Planned
    from sparkfleet.model import Fleet
    from sparkfleet.survey.usage import Usage

HOURS = Decimal(730)
DAYS = HOURS / 24
LISTINGS = {"Daily": DAYS, "Weekly": DAYS / 7}
GIB = Decimal(2**30)
DESCRIBED = "described"
"""Basis of a quantity that follows from the description itself, such as one key."""

BUCKET = "aws:s3/bucket:Bucket"
WORKSPACE = "aws:amp/workspace:Workspace"
LOGS = "logs"

Use = tuple[str, Decimal, str]
"""A meter, how much of it, and the basis of that figure."""


@dataclass(frozen=True)
class Month:
    """What the rules look at."""

    fleet: Fleet
    usage: Usage
    planned: list[Planned]

    def bucket(self, each: Planned, *fields: str) -> tuple[list[Decimal], str]:
        """Figures of the bucket that `each` is or is about, and their basis."""
        return self.usage.bucket(self._name(each), *fields)

    def _name(self, each: Planned) -> str:
        """The logical name of that bucket; a part of it may have a name of its own."""
        if each.type == BUCKET:
            return each.name
        about = each.inputs.get("bucket")
        known = (bucket for bucket in self.planned if bucket.type == BUCKET)
        return next((b.name for b in known if about in {b.inputs.get("bucket"), f"{b.name}-id"}), each.name)


def uses(month: Month, each: Planned) -> list[Use] | None:
    """Everything that is charged for the resource; None where no rule knows its type."""
    rule = RULES.get(each.type)
    return list(rule(month, each)) if rule else None


def _bucket(month: Month, each: Planned) -> Iterator[Use]:
    meters = {"s3-storage": "stored_gb", "s3-writes": "writes", "s3-reads": "reads"}
    if month.usage.month.hosts_out_of_aws:
        meters["internet-out"] = "reads_gb"
    for meter, figure in meters.items():
        [quantity], basis = month.bucket(each, figure)
        yield meter, quantity, basis


def _lifecycle(month: Month, each: Planned) -> Iterator[Use]:
    """Watching and moving are charged by the object; in a steady state a month's writes are what a month moves."""
    classes = {moved["storageClass"] for rule in each.inputs.get("rules", []) for moved in rule.get("transitions", [])}
    for storage_class, meter, figure in (
        ("INTELLIGENT_TIERING", "s3-tiered", "objects"),
        ("GLACIER_IR", "s3-archived", "writes"),
    ):
        if storage_class in classes:
            [quantity], basis = month.bucket(each, figure)
            yield meter, quantity, basis


def _inventory(month: Month, each: Planned) -> Iterator[Use]:
    [objects], basis = month.bucket(each, "objects")
    yield "s3-inventory", objects * LISTINGS[str(each.inputs["schedule"]["frequency"])], basis


def _key(month: Month, _each: Planned) -> Iterator[Use]:
    yield "kms-key", Decimal(1), DESCRIBED
    yield "kms-requests", month.usage.month.key_requests, month.usage.basis("key_requests")


def _alarm(_month: Month, _each: Planned) -> Iterator[Use]:
    yield "alarms", Decimal(1), DESCRIBED


def _logs(month: Month, each: Planned) -> Iterator[Use]:
    """What is kept once the retention has filled up, uncompressed: the dearest month."""
    taken, basis = month.usage.month.log_gb, month.usage.basis("log_gb")
    yield "log-ingest", taken, basis
    yield "log-storage", taken * Decimal(str(each.inputs["retentionInDays"])) / DAYS, basis


def _topic(month: Month, _each: Planned) -> Iterator[Use]:
    yield "sns-requests", month.usage.month.messages, month.usage.basis("messages")


def _subscription(month: Month, each: Planned) -> Iterator[Use]:
    if each.inputs["protocol"] == "email":
        yield "sns-mails", month.usage.month.mails, month.usage.basis("mails")


def _workspace(month: Month, _each: Planned) -> Iterator[Use]:
    """Every exporter's series, once a scrape."""
    said, fleet = month.usage.month, month.fleet
    scrapes = HOURS * 3600 / Decimal(str(seconds(fleet.monitor.scrape_interval)))
    samples = len(fleet.with_role(Role.EXPORTER)) * said.series_per_host * scrapes
    yield "amp-samples", samples, month.usage.basis("series_per_host")
    kept = samples * said.sample_bytes * said.amp_retention_days / DAYS / GIB
    yield "amp-storage", kept, month.usage.basis("series_per_host", "sample_bytes", "amp_retention_days")
    yield "amp-queries", said.query_billions, month.usage.basis("query_billions")


def _trail(month: Month, _each: Planned) -> Iterator[Use]:
    """Each request to a bucket is an event; of the one that the trail itself lies in, it does not tell."""
    seen = [each for each in month.planned if each.type == BUCKET and each.name != LOGS]
    told = [month.bucket(each, "writes", "reads") for each in seen]
    events = sum((sum(figures, Decimal(0)) for figures, _ in told), Decimal(0))
    yield "trail-events", events, min((basis for _, basis in told), default=DESCRIBED)


RULES: Mapping[str, Callable[[Month, Planned], Iterator[Use]]] = {
    BUCKET: _bucket,
    WORKSPACE: _workspace,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _lifecycle,
    "aws:s3/inventory:Inventory": _inventory,
    "aws:kms/key:Key": _key,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cloudwatch/logGroup:LogGroup": _logs,
    "aws:sns/topic:Topic": _topic,
    "aws:sns/topicSubscription:TopicSubscription": _subscription,
    "aws:cloudtrail/trail:Trail": _trail,
}
