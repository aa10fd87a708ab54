"""Descriptions of an object store that cannot work → all their faults at once, each at the place to mend."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.cloud_checks import cloud_faults
from tests.sparkfleet.descriptions import faults

HOST = {"addresses": ["192.0.2.1"]}
STORE = {"endpoint": "http://s:1", "iam_endpoint": "http://s:2", "admin": "env:ADMIN"}
BUCKET_NAME = 'expected 3 to 31 characters a-z, 0-9 and "-", not beginning with xn--, sthree- or amzn-s3-demo-'
ONPREM = {"provider": "onprem", "onprem": STORE}


def described(cloud: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A fleet `lab` of one host with this store."""
    return {"fleet": "lab", "hosts": {"spark-01": HOST}, "cloud": cloud, **rest}


def test_every_fault_of_a_bad_store_is_told_at_once() -> None:
    """A region that is none, a bucket name that S3 refuses, prefixes in each other, reserved names, all together."""
    bad = described(
        {
            "provider": "aws",
            "aws": {"region": "eu-wst-1", "bucket_prefix": "Oceanid_ML"},
            "calypso": True,
            "tags": {"fleet": "theirs", "aws:name": "x"},
        },
        hosts={"calypso": HOST},
        datasets={"sets": {"deeds": {}, "pages": {"prefix": "shared/deeds/pages"}}},
    )

    assert faults(bad) == [
        f'cloud.aws.bucket_prefix: {BUCKET_NAME}, found "Oceanid_ML"',
        'cloud.aws.region: expected an AWS region such as "eu-central-1" (did you mean eu-west-1?), found "eu-wst-1"',
        'cloud.tags.aws:name: expected a tag\'s key: letters, digits, + - = . _ : / @, found "aws:name"',
        "cloud.tags.fleet: is written by sparkfleet itself",
        "datasets.sets.pages.prefix: shared/deeds/pages overlaps shared/deeds of datasets.sets.deeds.prefix",
        "hosts.calypso: is the name of Calypso's own identity; give the host another",
    ]


def test_an_unknown_provider_is_told_with_the_known_ones() -> None:
    """One word away from a provider there is."""
    assert faults(described({"provider": "onprm"})) == [
        "cloud.provider: expected 'aws', 'onprem' or 'none' (did you mean onprem?), found \"onprm\""
    ]


@pytest.mark.parametrize(
    ("sets", "models", "expected"),
    [
        ({"one": {"prefix": "shared/x"}, "two": {"prefix": "shared/x", "version": "2"}}, {}, []),
        ({"one": {"prefix": "shared/x"}, "two": {"prefix": "shared/xy"}}, {}, []),
        ({"one": {"bucket": "theirs", "prefix": "x"}, "two": {"prefix": "shared/x/y"}}, {}, []),
        ({"one": {"bucket": "lab-models", "prefix": "calypso/x"}}, {}, ["calypso/x overlaps calypso of label.models"]),
        ({"one": {"bucket": "lab-models", "prefix": "x"}}, {"prefix": ""}, ["x overlaps the whole bucket of label"]),
        ({"one": {"prefix": "hosts/spark-01/x"}}, {}, ["expected a prefix below shared/, which every host may read"]),
    ],
    ids=[
        "two versions of one",
        "a name begins with another",
        "other buckets",
        "in the models",
        "the bucket",
        "a host's",
    ],
)
def test_prefixes_overlap_where_one_lies_within_another(
    sets: dict[str, Any], models: dict[str, Any], expected: list[str]
) -> None:
    """In one bucket, whole words compared; what hosts mirror from the fleet's own bucket is what they may read."""
    found = faults(described(ONPREM, datasets={"sets": sets}, label={"models": models}))

    assert [fault.partition(": ")[2][: len(words)] for fault, words in zip(found, expected, strict=True)] == expected


def test_calypsos_name_is_a_hosts_as_long_as_it_has_no_identity() -> None:
    """Reserved only where the description wants that identity; its generation can be raised then."""
    named = {"hosts": {"calypso": HOST}}
    raised = {"generations": {"calypso": 2}}

    assert faults(described(ONPREM, **named)) == []
    assert faults(described({**ONPREM, "calypso": True}, **named)) != []
    assert faults(described({**ONPREM, "calypso": True, **raised})) == []
    assert faults(described({**ONPREM, **raised})) == ["cloud.generations.calypso: no such host"]


def test_a_name_too_long_for_a_user_of_the_store_is_told() -> None:
    """The store's users are called after fleet and host together."""
    host, fleet = "h" * 32, "f" * 32

    assert faults({"fleet": fleet, "hosts": {host: HOST}, "cloud": ONPREM}) == [
        f"hosts.{host}: {fleet}-{host} is its user's name in the store, which may have 64 characters"
    ]
    assert faults({"fleet": fleet[1:], "hosts": {host: HOST}, "cloud": ONPREM}) == []


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("a/", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=6,
)


@given(cloud=JUNK, sets=JUNK, models=JUNK)
def test_no_junk_ends_in_anything_but_faults(cloud: Any, sets: Any, models: Any) -> None:
    """What single values are is checked elsewhere: here they are met as they come."""
    raw = {"cloud": cloud, "datasets": {"sets": sets}, "label": {"models": models}}

    assert all(isinstance(fault, str) for fault in cloud_faults(raw, {"spark-01": HOST}))


@pytest.mark.parametrize("switch", ["budget_usd", "cost_anomaly_usd"])
def test_what_watches_the_money_tells_somebody(switch: str) -> None:
    """A budget without an address would be looked at by nobody; with one it is sound."""
    aws = {"region": "eu-central-1", "bucket_prefix": "oceanid-ml", switch: 200}

    assert faults(described({"provider": "aws", "aws": aws})) == [
        f"cloud.aws.alarm_mail: missing; {switch} would tell nobody"
    ]
    assert faults(described({"provider": "aws", "aws": {**aws, "alarm_mail": ["fleet@example.org"]}})) == []
