"""A described account, its resources and a month's usage → a bill that leaves nothing out and guesses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sparkfleet.cloud.planned import Planned
from sparkfleet.commands import survey
from sparkfleet.errors import ConfigError
from sparkfleet.model import Fleet
from sparkfleet.survey import prices, usage
from sparkfleet.survey.cost import Estimate, document, estimate
from sparkfleet.survey.meters import BUCKET, RULES, WORKSPACE

PROJECT = Path(__file__).resolve().parents[3]
AMP = {"region": "us-east-1", "workspace_id": "ws-12345678-90ab-cdef-1234-567890abcdef"}
BUSY = """\
key_requests = 30_000
log_gb = 10
series_per_host = 1000
[buckets.datasets]
stored_gb = 1000
objects = 2_000_000
writes = 100_000
reads = 1_000_000
reads_gb = 600
[buckets.models]
stored_gb = 0
objects = 0
writes = 0
reads = 0
reads_gb = 0
"""


def described(region: str = "us-east-1", **more: Any) -> Fleet:
    """A fleet of two hosts with exporters in an account."""
    aws = {"region": region, "bucket_prefix": "oceanid-ml"}
    hosts = {f"spark-0{n}": {"addresses": [f"192.0.2.{n}"], "roles": ["exporter"]} for n in (1, 2)}
    return Fleet.model_validate(
        {"fleet": "demo", "hosts": hosts, "cloud": {"provider": "aws", "aws": aws}, "monitoring": more}
    )


@pytest.fixture
def busy(tmp_path: Path) -> usage.Usage:
    """A month that its owner declared in part."""
    file = tmp_path / "usage.toml"
    file.write_text(BUSY)
    return usage.read(file)


def bill(fleet: Fleet, month: usage.Usage, *planned: Planned, free_tier: bool = True) -> Estimate:
    """The estimate at the prices that are shipped."""
    return estimate(fleet, planned, month, prices.read(), free_tier=free_tier)


def usd(found: Estimate, meter: str) -> Decimal | None:
    """What the lines of one meter cost together; None when one of them is unknown."""
    told = [line.usd for line in found.lines if line.meter == meter]
    assert told
    return None if None in told else sum((each for each in told if each), Decimal(0))


DATASETS = Planned(BUCKET, "datasets", {"bucket": "oceanid-ml-datasets"})


def test_a_bucket_costs_by_what_is_declared(busy: usage.Usage) -> None:
    """Worked out by hand at us-east-1's prices: 1000 GB, 100,000 writes, a million reads, 500 GB beyond 100 free."""
    found = bill(described(), busy, DATASETS)

    assert {line.meter: line.usd for line in found.lines} == {
        "s3-storage": 23,
        "s3-writes": Decimal("0.5"),
        "s3-reads": Decimal("0.4"),
        "internet-out": 45,
    }
    assert found.total_usd == Decimal("68.9")
    assert {line.basis for line in found.lines} == {"declared"}


def test_hosts_in_the_region_pay_no_way_out(busy: usage.Usage) -> None:
    """What stays in the region is free of charge."""
    inside = usage.Usage(busy.month.model_copy(update={"hosts_out_of_aws": False}), busy.declared)

    assert "internet-out" not in {line.meter for line in bill(described(), inside, DATASETS).lines}


def test_lifecycle_and_inventory_are_charged_to_the_bucket_that_they_are_about(busy: usage.Usage) -> None:
    """By the bucket's objects, whatever the name of the resource: a weekly list is 4.35 lists a month."""
    moves = {"rules": [{"transitions": [{"storageClass": "INTELLIGENT_TIERING"}, {"storageClass": "GLACIER_IR"}]}]}
    inventory = {"bucket": "datasets-id", "schedule": {"frequency": "Weekly"}}
    found = bill(
        described(),
        busy,
        DATASETS,
        Planned(
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "x", {"bucket": "datasets-id", **moves}
        ),
        Planned("aws:s3/inventory:Inventory", "y", inventory),
    )

    assert usd(found, "s3-tiered") == 5
    assert usd(found, "s3-archived") == 2
    assert round(usd(found, "s3-inventory") or 0, 4) == Decimal("0.0217")


def test_samples_follow_from_hosts_series_and_the_scrape_interval(busy: usage.Usage) -> None:
    """2 hosts, 1000 series, every 15 s, 730 hours: 350.4 million samples, of which 40 million are free."""
    found = bill(described(), busy, Planned(WORKSPACE, "hosts", {}))
    [samples] = [line for line in found.lines if line.meter == "amp-samples"]

    assert (samples.quantity, samples.free) == (Decimal(350_400_000), Decimal(40_000_000))
    assert samples.usd == Decimal("27.936")


def test_a_workspace_that_was_there_before_is_counted_once_and_in_its_own_region() -> None:
    """The fleet writes to it; one that the stack makes itself is not counted again."""
    given = bill(described("eu-central-1", amp=AMP), usage.read())
    made = bill(described("eu-central-1", amp=AMP), usage.read(), Planned(WORKSPACE, "hosts", {}))

    assert {(line.name, line.region) for line in given.lines} == {(AMP["workspace_id"], "us-east-1")}
    assert {line.name for line in made.lines} == {"hosts"}


def test_an_unknown_price_makes_the_total_a_lower_bound(busy: usage.Usage) -> None:
    """A region without a price: the line has none, the others are summed, and the estimate is not whole."""
    key = Planned("aws:kms/key:Key", "data", {})
    found = bill(described("ap-south-1"), busy, key, DATASETS)

    assert not found.complete
    assert usd(found, "kms-key") is None
    assert found.total_usd == 0
    assert document(found, prices.read())["lines"][0]["usd"] is None


def test_a_resource_that_nobody_priced_is_named(busy: usage.Usage) -> None:
    """Neither charged nor known to be free: it is said, and the estimate is not whole."""
    found = bill(described(), busy, Planned("aws:ec2/instance:Instance", "surprise", {}))

    assert found.unpriced == ["aws:ec2/instance:Instance surprise"]
    assert not found.complete


def test_a_bucket_of_which_nothing_is_said_is_a_fault(busy: usage.Usage) -> None:
    """Not an assumption of zero."""
    with pytest.raises(ConfigError, match=r"buckets\.scratch: missing"):
        bill(described(), busy, Planned(BUCKET, "scratch", {}))


def test_one_assumed_part_makes_a_figure_assumed(busy: usage.Usage) -> None:
    """The owner said how many series, we said how many bytes a sample has."""
    found = bill(described(), busy, Planned(WORKSPACE, "hosts", {}))

    assert {line.meter: line.basis for line in found.lines} == {
        "amp-samples": "declared",
        "amp-storage": "assumed",
        "amp-queries": "assumed",
    }


EVERYTHING = """
import json, sys
from sparkfleet.cloud.rehearse import rehearse
from sparkfleet.model import Fleet
fleet = Fleet.model_validate_json(sys.stdin.read())
print(json.dumps([[p.type, p.name] for p in rehearse(fleet)]))
"""


def graph(fleet: Fleet) -> list[tuple[str, str]]:
    """What the program registers for this fleet, in a process of its own: the engine's stand-in is a process's."""
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING],
        input=fleet.model_dump_json(),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(kind, name) for kind, name in json.loads(done.stdout.splitlines()[-1])]


def everything(folder: Path) -> dict[str, Any]:
    """A description with every switch of the account on, and an authority."""
    bundle = folder / "authority.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    topic = "arn:aws:sns:us-east-1:111122223333:alerts"
    raw = described(alerts="amp", amp={**AMP, "topic_arn": topic}).model_dump(mode="json", exclude_unset=True)
    raw["hosts"]["spark-01"]["roles"] = ["monitor", "exporter"]
    raw["cloud"]["calypso"] = True
    raw["cloud"]["aws"] |= {
        "trust_bundle": str(bundle),
        "workspace": True,
        "alarm_mail": ["ops@example.org"],
        "budget_usd": 100,
        "cost_anomaly_usd": 20,
        "data_events": True,
    }
    return raw


def test_the_program_and_the_prices_know_the_same_resources(tmp_path: Path) -> None:
    """Each type that the whole account may be made of is charged or known to be free, and nothing else is."""
    made = graph(Fleet.model_validate(everything(tmp_path)))
    types = {kind for kind, _ in made if kind.startswith("aws:")}
    known = prices.read()

    assert types - set(RULES) - set(known.free) == set()
    assert set(RULES) - types == set()
    assert set(known.free) - types == set()


def test_the_examples_bill_leaves_out_nothing() -> None:
    """The whole verb on Pulumi.example-aws.yaml: every bucket has lines, the total is their sum, unknown is said.

    Nobody told these three prices for the region; one that is added to prices.toml is to be taken from this list.
    """
    command = [sys.executable, "-m", "sparkfleet.cli", "--stack", "example-aws", "survey", "cost", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    lines = told["lines"]

    assert {line["name"] for line in lines if line["type"] == BUCKET} == set(usage.read().month.buckets) - {"state"}
    assert told["total_usd"] == pytest.approx(sum(line["usd"] or 0 for line in lines), abs=0.001)
    assert told["unpriced"] == []
    assert {line["meter"] for line in lines if line["usd"] is None} == {"amp-samples", "s3-inventory", "trail-events"}
    assert not told["complete"]
    assert set(told["prices"]) == {line["meter"] for line in lines}


def test_people_see_what_is_unknown_and_what_is_too_much(capsys: pytest.CaptureFixture[str]) -> None:
    """A question mark instead of a price, "at least" before the total, the budget that it exceeds."""
    raw = described("eu-central-1", amp={**AMP, "region": "eu-central-1"}).model_dump(mode="json", exclude_unset=True)
    raw["cloud"]["aws"]["budget_usd"] = 5
    poor = Fleet.model_validate(raw)

    survey.show(poor, bill(poor, usage.read(), DATASETS), prices.read(), free_tier=True)

    shown = capsys.readouterr().out
    [samples] = [line for line in shown.splitlines() if "amp-samples" in line and line.startswith("Workspace")]
    assert samples.split()[-2:] == ["?", "assumed"]
    assert "a month in eu-central-1: at least 21.61 USD (mocked resources, reported prices)" in shown
    assert "no price for amp-samples in eu-central-1" in shown
    assert "more than the budget of 5 USD" in shown


def test_without_an_account_nothing_is_charged() -> None:
    """On the premises nothing of the stack is rented."""
    raw = described().model_dump(mode="json") | {"cloud": {"provider": "none"}}

    assert bill(Fleet.model_validate(raw), usage.read()) == Estimate("", [])
