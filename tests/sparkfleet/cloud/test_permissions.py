"""What AWS's own services may do in the account, and the roles' ceiling: what holds for every name and partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.cloud import policies
from sparkfleet.cloud.account import permissions
from sparkfleet.cloud.account.permissions import Owner
from sparkfleet.forms import HOST_NAME

if TYPE_CHECKING:
    from sparkfleet.cloud.policies import Document

PARTITIONS = st.sampled_from(["aws", "aws-cn", "aws-us-gov"])
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
FLEETS = st.from_regex(HOST_NAME, fullmatch=True)
REGION = "eu-central-1"


def owners() -> st.SearchStrategy[Owner]:
    """Any account, as a caller's ARN names it."""
    callers = st.sampled_from(["sts::{}:assumed-role/deployer/x:y", "iam::{}:user/alice", "iam::{}:root"])
    return st.builds(
        lambda partition, account, caller: Owner.of(f"arn:{partition}:{caller.format(account)}", REGION),
        PARTITIONS,
        ACCOUNTS,
        callers,
    )


def documents(owner: Owner, fleet: str) -> dict[str, Document]:
    """Every document that lets one of AWS's services in."""
    logs, sources = owner.bucket(f"{fleet}-logs"), [owner.bucket(f"{fleet}-{purpose}") for purpose in ("a", "b")]
    return {
        "key": permissions.watch_key(owner, fleet),
        "topic": permissions.topic(owner, owner.arn("sns", f"{fleet}-alarms"), fleet),
        "logs": permissions.log_bucket(owner, logs, fleet, sources),
    }


@given(owner=owners(), fleet=FLEETS)
def test_a_service_is_let_in_on_behalf_of_this_account_alone(owner: Owner, fleet: str) -> None:
    """Each allowance names our account in a condition: else another account could have the service do it for it."""
    for name, document in documents(owner, fleet).items():
        for statement in document["Statement"]:
            principal = statement.get("Principal")
            if statement["Effect"] == "Deny" or not (isinstance(principal, dict) and "Service" in principal):
                continue
            condition = statement["Condition"]
            sources = [*condition.get("StringEquals", {}).items(), *condition.get("ArnEquals", {}).items()]
            assert any(owner.account in str(value) for _, value in sources), (name, statement["Sid"])


@given(owner=owners(), fleet=FLEETS)
def test_every_arn_stays_in_the_callers_partition(owner: Owner, fleet: str) -> None:
    """An ARN of another partition matches nothing, and AWS refuses some of them."""
    texts = [policies.canonical(document) for document in documents(owner, fleet).values()]
    found = {part.split(":")[0] for text in texts for part in text.split('"arn:')[1:]}

    assert found == {owner.partition}


@given(workspaces=st.lists(st.from_regex(r"arn:aws:aps:w[0-9]", fullmatch=True), max_size=4))
def test_the_ceiling_lets_samples_into_named_workspaces_alone(workspaces: list[str]) -> None:
    """Without a workspace nothing of AMP is allowed; one that is named twice stands there once."""
    document = permissions.ceiling(["arn:aws:s3:::d"], "arn:aws:kms:k", workspaces, REGION)
    samples = [statement for statement in document["Statement"] if statement["Action"] == "aps:RemoteWrite"]

    assert [statement["Resource"] for statement in samples] == ([sorted(set(workspaces))] if workspaces else [])


def test_documents_are_not_changed_by_what_is_added() -> None:
    """Each addition is a new document: the shared part stays what everybody else was given."""
    base = policies.host_access("arn:aws:s3:::d", "arn:aws:s3:::m")
    before = policies.canonical(base)

    permissions.with_samples(base, ["w"], ["spark-01"])
    permissions.with_reading_key(base, "k", REGION)

    assert policies.canonical(base) == before
