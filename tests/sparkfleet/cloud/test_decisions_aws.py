"""The documents of the AWS account, decided by an evaluator of IAM's language: the same table as on the premises.

A host's request goes the whole way: the role's trust, its policies below the boundary, the bucket's policy, the key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sparkfleet.cloud import evaluator, recorded
from tests.sparkfleet.cloud.decisions import DECISIONS, Caller, Decision, Place, Verb
from tests.sparkfleet.cloud.evaluator import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

ROOT = f"arn:aws:iam::{recorded.ACCOUNT}"
KEY_USE = {Verb.GET: "kms:Decrypt", Verb.PUT: "kms:GenerateDataKey"}
BY_CERTIFICATE = {Caller.HOST_A, Caller.HOST_B, Caller.CALYPSO, Caller.UNKNOWN}
NAME_TAG = "aws:PrincipalTag/x509Subject/CN"
ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Account:
    """The recorded account, asked as its callers would."""

    def __init__(self, made: recorded.Account) -> None:
        self.made = made
        self.roles = {name: _read(role, "assumeRolePolicy") for name, role in made.of("Role").items()}
        self.policies = {f"{ROOT}:policy/{p['name']}": json.loads(p["policy"]) for p in made.of("Policy").values()}
        self.buckets = {name: json.loads(p["policy"]) for name, p in made.of("BucketPolicy").items()}
        [self.anchor] = [a["name"] for a in made.of("TrustAnchor").values()]

    def trust(self, role: str, name: str, anchor: str = "") -> Request:
        """A certificate with the common name `name`, below the fleet's anchor, asks for a role."""
        source = f"arn:aws:rolesanywhere:{recorded.REGION}:{recorded.ACCOUNT}:trust-anchor/{anchor or self.anchor}"
        return Request(
            "rolesanywhere.amazonaws.com",
            "sts:AssumeRole",
            f"{ROOT}:role/{self.made.of('Role')[role]['name']}",
            {"aws:SourceArn": source, NAME_TAG: name},
            on_resource=self.roles[role],
        )

    def holder(self, role: str, name: str) -> dict[str, Any]:
        """Who a session of the role is, and what it carries."""
        physical = self.made.of("Role")[role]["name"]
        attached = [a["policyArn"] for a in self.made.of("RolePolicyAttachment").values() if a["role"] == physical]
        return {
            "principal": f"arn:aws:sts::{recorded.ACCOUNT}:assumed-role/{physical}/0a1b",
            "identity": [self.policies[arn] for arn in attached],
            "boundary": self.policies.get(self.made.of("Role")[role].get("permissionsBoundary", "")),
            # AWS says of a session which role it is of.
            "context": {NAME_TAG: name, "aws:PrincipalArn": f"{ROOT}:role/{physical}"},
        }

    def object_request(self, holder: dict[str, Any], row: Decision, **context: Any) -> Request:
        """What `row` asks of S3, over TLS, as boto3 and obstore ask."""
        bucket = self.made.of("Bucket").get(row.purpose, {}).get("bucket", f"demo-ml-{row.purpose}")
        said = {"aws:SecureTransport": "true", **holder["context"], **context}
        if row.verb is Verb.LIST:
            said["s3:prefix"] = row.prefix
        elif row.purpose == "audit" and row.verb is Verb.PUT:
            said.setdefault("s3:if-none-match", "*")
        target = f"arn:aws:s3:::{bucket}" + ("" if row.verb is Verb.LIST else f"/{row.prefix}object")
        rest = {key: value for key, value in holder.items() if key != "context"}
        return Request(
            action=str(row.verb), resource=target, context=said, on_resource=self.buckets.get(row.purpose), **rest
        )

    def key_request(self, holder: dict[str, Any], row: Decision) -> Request | None:
        """What S3 asks of the key on behalf of the caller; None where the request needs none, or has no signature."""
        rules = self.made.of("BucketServerSideEncryptionConfiguration").get(row.purpose, {}).get("rules", [{}])
        arn = rules[0].get("applyServerSideEncryptionByDefault", {}).get("kmsMasterKeyId")
        if not arn or row.verb not in KEY_USE or not holder["principal"]:
            return None
        said = {**holder["context"], "kms:ViaService": f"s3.{recorded.REGION}.amazonaws.com"}
        rest = {key: value for key, value in holder.items() if key != "context"}
        policy = json.loads(self.made.of("Key")[arn.rpartition("/")[2]]["policy"])
        return Request(action=KEY_USE[row.verb], resource=arn, context=said, on_resource=policy, **rest)


def _read(properties: dict[str, Any], key: str) -> Any:
    return json.loads(properties[key])


@pytest.fixture(scope="module")
def account() -> Account:
    """The account of spark-01, spark-02, which promotes models, and Calypso."""
    return Account(recorded.everything())


@pytest.fixture(scope="module")
def holders(account: Account) -> dict[Caller, list[dict[str, Any]]]:
    """As whom each caller may act: a certificate as the session of each role whose trust lets it in."""
    pairs = [(caller, role) for caller in BY_CERTIFICATE for role in account.roles]
    let_in = decide([account.trust(role, str(caller)) for caller, role in pairs])
    found: dict[Caller, list[dict[str, Any]]] = {caller: [] for caller in Caller}
    for (caller, role), yes in zip(pairs, let_in, strict=True):
        found[caller] += [account.holder(role, str(caller))] if yes else []
    nobody: dict[str, Any] = {"principal": None, "identity": [], "context": {}}
    controller = {"principal": f"{ROOT}:role/controller", "identity": [json.loads(account.made.controller_policy)]}
    return {**found, Caller.ANONYMOUS: [nobody], Caller.CONTROLLER: [{**controller, "context": {}}]}


def decide(requests: Sequence[Request]) -> list[bool]:
    """Ask the evaluator."""
    return evaluator.decide(requests, recorded.ACCOUNT)


def test_every_row_of_the_table_is_decided_as_expected(
    account: Account, holders: dict[Caller, list[dict[str, Any]]]
) -> None:
    """Hosts, Calypso, the controller, an unknown certificate, no signature; every verb, every place."""
    asked = [
        (row, [each for each in (account.object_request(holder, row), account.key_request(holder, row)) if each])
        for row in DECISIONS
        for holder in holders[row.caller]
    ]
    answers = iter(decide([request for _, requests in asked for request in requests]))
    observed = dict.fromkeys(DECISIONS, False)
    for row, requests in asked:
        decided = [next(answers) for _ in requests]
        observed[row] |= all(decided)

    assert [str(row) for row in DECISIONS if observed[row] != row.allowed] == []


def test_only_certificates_of_the_fleet_get_a_session(holders: dict[Caller, list[dict[str, Any]]]) -> None:
    """One role a host, one for Calypso, none for a name that is no host's."""
    numbers = {str(caller): len(holders[caller]) for caller in BY_CERTIFICATE}

    assert numbers == {"spark-01": 1, "spark-02": 1, "calypso": 1, "spark-99": 0}


def test_another_authoritys_certificate_gets_no_role(account: Account) -> None:
    """The right name below another trust anchor of the same account is refused by every role."""
    requests = [account.trust(role, str(c), anchor="other") for role in account.roles for c in BY_CERTIFICATE]

    assert not any(decide(requests))


WAYS_ROUND = [
    ("s3:GetObject", "datasets", "hosts/spark-01/a", {"aws:SecureTransport": "false"}),  # without TLS
    ("s3:PutObject", "datasets", "hosts/spark-01/a", {"s3:x-amz-server-side-encryption": "AES256"}),
    ("s3:DeleteObjectVersion", "datasets", "hosts/spark-01/a", {}),
    ("s3:DeleteObjectVersion", "models", "calypso/a", {}),
    ("s3:BypassGovernanceRetention", "models", "calypso/a", {}),
    ("s3:PutBucketPolicy", "datasets", "", {}),
    ("s3:PutLifecycleConfiguration", "datasets", "", {}),
    ("s3:DeleteBucket", "datasets", "", {}),
]


@pytest.mark.parametrize("caller", [Caller.HOST_A, Caller.HOST_B, Caller.CALYPSO])
def test_no_session_has_a_way_round(account: Account, holders: Any, caller: Caller) -> None:
    """Plain text, another key, old versions, locks and the bucket's own rules are out of every session's reach."""
    buckets = account.made.of("Bucket")
    requests = [
        Request(
            holder["principal"],
            action,
            f"arn:aws:s3:::{buckets[purpose]['bucket']}" + (f"/{name}" if name else ""),
            {"aws:SecureTransport": "true", **holder["context"], **context},
            holder["identity"],
            holder["boundary"],
            account.buckets[purpose],
        )
        for holder in holders[caller]
        for action, purpose, name, context in WAYS_ROUND
    ]

    assert requests
    assert [r.action for r, yes in zip(requests, decide(requests), strict=True) if yes] == []


def test_the_boundary_holds_whatever_is_attached_to_a_role(account: Account, holders: Any) -> None:
    """With AdministratorAccess attached by mistake a session still makes no user and deletes no version."""
    bucket = f"arn:aws:s3:::{account.made.of('Bucket')['datasets']['bucket']}"
    asked = [
        ("iam:CreateUser", f"{ROOT}:user/x"),
        ("sts:AssumeRole", f"{ROOT}:role/x"),
        ("s3:DeleteObjectVersion", f"{bucket}/a"),
        ("s3:PutBucketPolicy", bucket),
    ]
    [holder] = holders[Caller.HOST_A]
    who, said, ceiling = holder["principal"], holder["context"], holder["boundary"]
    bounded = [Request(who, action, arn, said, [ADMINISTRATOR], ceiling) for action, arn in asked]
    free = [Request(who, action, arn, said, [ADMINISTRATOR]) for action, arn in asked]

    assert all(decide([one for one in free if one.action != "sts:AssumeRole"]))  # a role's own trust decides that one
    assert not any(decide(bounded))


def test_no_allowance_in_iam_opens_the_state_to_a_role_of_the_fleet(account: Account, holders: Any) -> None:
    """With AdministratorAccess, and no boundary, the state is still out of reach: its bucket names the roles."""
    asked = [row for row in DECISIONS if row.place is Place.STATE and row.caller in BY_CERTIFICATE]
    strong = {"identity": [ADMINISTRATOR], "boundary": None}
    requests = [account.object_request({**holder, **strong}, row) for row in asked for holder in holders[row.caller]]

    assert len(requests) == 3 * len(Verb)
    assert [one.action for one, yes in zip(requests, decide(requests), strict=True) if yes] == []


def test_a_record_of_the_audit_log_is_written_once(account: Account, holders: Any) -> None:
    """A put without the condition and every delete are refused, even to who may do all else."""
    [controller] = holders[Caller.CONTROLLER]
    record = f"arn:aws:s3:::{account.made.of('Bucket')['audit']['bucket']}/audit/demo/1"
    asked = [
        ("s3:PutObject", {"s3:if-none-match": "*"}, True),
        ("s3:PutObject", {}, False),
        ("s3:DeleteObject", {}, False),
        ("s3:DeleteObjectVersion", {}, False),
    ]
    requests = [
        Request(
            controller["principal"],
            action,
            record,
            {"aws:SecureTransport": "true", **context},
            [ADMINISTRATOR],
            on_resource=account.buckets["audit"],
        )
        for action, context, _ in asked
    ]

    assert decide(requests) == [expected for *_, expected in asked]
