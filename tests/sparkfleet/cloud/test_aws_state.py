"""The state of a stack from before the account had all its parts → what the code of today would replace in it.

tests/golden/cloud/account_before.json is what was registered then, made by that code; it is never written anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.cloud.checks import HOLDS_DATA
from tests.sparkfleet.cloud.account import AMP, described, inputs, register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.sparkfleet.recorder import Registered

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

BEFORE = json.loads((Path(__file__).parents[2] / "golden" / "cloud" / "account_before.json").read_text())
FORCES_NEW = {
    "Bucket": ("bucket", "bucketNamespace", "bucketPrefix", "objectLockEnabled", "region"),
    "Key": ("customerMasterKeySpec", "customKeyStoreId", "keyUsage", "multiRegion", "region", "xksKeyId"),
    "Workspace": ("kmsKeyArn", "region"),
}
"""Inputs whose change makes another resource. Source: the schema of Terraform's AWS provider 6 (ForceNew)."""


def replaced(typ: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The inputs that would make another resource of it."""
    return [key for key in FORCES_NEW[typ.rpartition(":")[2]] if before.get(key) != now.get(key)]


def parent(urn: str) -> str:
    """The part of a parent's URN that is the program's own: types and name, without stack and project."""
    *_, types, name = urn.split("::")
    return "" if types.endswith(":Stack") else f"{types.removeprefix('pulumi:pulumi:Stack$')}::{name}"


@pytest.fixture(scope="module")
def today() -> Registered:
    """What is registered now for the fleet that the old state is of."""
    return register(described({"monitoring": {"alerts": "amp", "amp": AMP}}))


def test_everything_that_was_there_is_still_there_under_its_name(today: Registered) -> None:
    """Type, logical name and parent make a URN: none of the old ones is gone, so nothing is deleted or replaced."""
    now = {(typ, name, parent(request.parent)) for (typ, name), request in today.items()}

    assert {(each["type"], each["name"], each["parent"]) for each in BEFORE} - now == set()


def test_nothing_that_holds_data_is_replaced(today: Registered) -> None:
    """No input that makes another bucket or key of it has changed, also where it was not set."""
    holds_data = [each for each in BEFORE if each["type"].rpartition(":")[2] in HOLDS_DATA]
    found = {
        each["name"]: replaced(each["type"], each["inputs"], inputs(today, each["type"], each["name"]))
        for each in holds_data
    }

    assert found == {"audit": [], "data": [], "datasets": [], "models": []}


@pytest.mark.parametrize(
    ("typ", "now", "told"),
    [
        ("aws:s3/bucket:Bucket", {"bucket": "m", "objectLockEnabled": True}, ["objectLockEnabled"]),
        ("aws:s3/bucket:Bucket", {"bucket": "other", "region": "eu-west-1"}, ["bucket", "region"]),
        ("aws:kms/key:Key", {"bucket": "m", "multiRegion": True}, ["multiRegion"]),
        ("aws:s3/bucket:Bucket", {"bucket": "m", "forceDestroy": True}, []),
    ],
)
def test_a_change_that_would_replace_is_noticed(typ: str, now: dict[str, Any], told: list[str]) -> None:
    """The comparison sees what it is there for: an input that was not set counts, one that is changed in place not."""
    assert replaced(typ, {"bucket": "m"}, now) == told
