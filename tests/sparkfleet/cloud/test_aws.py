"""The AWS side, mocked: what is registered with Pulumi, with which inputs, whose child, protected or not.

No live account stands behind these tests: they show what would be asked for, not that AWS would grant it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from sparkfleet.cloud.provide import provide
from sparkfleet.errors import ConfigError
from sparkfleet.model import Fleet, Role
from tests.sparkfleet.recorder import Recorder, Registered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

ACCOUNT = "111122223333"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
COMPONENT = "sparkfleet:cloud:Account"
RULES = "groups: [{name: g, rules: [{alert: Watchdog, expr: vector(1)}, {record: 'a:b', expr: b}]}]"
AMP = {
    "region": "eu-central-1",
    "workspace_id": "ws-12345678-90ab-cdef-1234-567890abcdef",
    "topic_arn": f"arn:aws:sns:eu-central-1:{ACCOUNT}:alerts",
}


class Answers(Mocks):
    """Answer as AWS would: an ARN for what has one, and who is calling."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Give every resource an id and an ARN made of its type and physical name."""
        physical = args.inputs.get("bucket") or args.inputs.get("name") or args.name
        arn = f"arn:aws:s3:::{physical}" if args.typ == "aws:s3/bucket:Bucket" else f"arn:aws:{args.typ}:{physical}"
        return f"{physical}-id", {**args.inputs, "arn": arn}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Name the account; nothing else may be asked."""
        assert args.token == "aws:index/getCallerIdentity:getCallerIdentity"
        return {
            "accountId": ACCOUNT,
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/x",
            "userId": "x",
            "id": "x",
        }, []


@pytest.fixture
def describe(tmp_path: Path) -> Callable[..., Fleet]:
    """Describe a fleet of two hosts on AWS, with the authority's certificate unless told otherwise."""
    bundle = tmp_path / "authority.pem"
    bundle.write_text(CERTIFICATE)

    def fleet(**aws: Any) -> Fleet:
        section = {"region": "eu-west-1", "bucket_prefix": "oceanid-ml", "trust_bundle": str(bundle), **aws}
        hosts = {"spark-02": {"addresses": ["192.0.2.2"]}, "spark-01": {"addresses": ["192.0.2.1"]}}
        return Fleet.model_validate({"fleet": "demo", "hosts": hosts, "cloud": {"provider": "aws", "aws": section}})

    return fleet


def register(fleet: Fleet) -> Registered:
    """Run `provide` for `fleet` under the recorder and return what it registered."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)

    @pulumi.runtime.test
    def program() -> None:
        provide(fleet, [RULES])

    program()
    return recorder.registered


@pytest.fixture
def registered(describe: Callable[..., Fleet]) -> Registered:
    """What is registered for the fleet with a certificate."""
    return register(describe())


def inputs(registered: Registered, typ: str, name: str) -> dict[str, Any]:
    """The inputs of one registration, policy texts as data."""
    from google.protobuf import json_format

    found = json_format.MessageToDict(registered[typ, name].object)
    for key in ("policy", "assumeRolePolicy"):
        if key in found:
            found[key] = json.loads(found[key])
    return found


BUCKET_PARTS = [
    "sparkfleet:cloud:ProtectedBucket",
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
]
ROLE_PARTS = {
    ("sparkfleet:cloud:HostRole", "demo-hosts"),
    ("aws:rolesanywhere/trustAnchor:TrustAnchor", "hosts"),
    ("aws:iam/role:Role", "hosts"),
    ("aws:iam/policy:Policy", "hosts"),
    ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "hosts"),
    ("aws:rolesanywhere/profile:Profile", "hosts"),
}
REST = {
    ("sparkfleet:cloud:Account", "demo"),
    ("pulumi:providers:aws", "aws"),
    ("aws:kms/key:Key", "data"),
    ("aws:kms/alias:Alias", "data"),
    ("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", "audit"),
} | {(typ, purpose) for typ in BUCKET_PARTS for purpose in ("datasets", "models", "audit")}


def test_exactly_these_resources_are_registered(registered: Registered) -> None:
    """The whole list, so that nothing is added or lost unseen: no user, no access key."""
    assert set(registered) == REST | ROLE_PARTS


def test_an_evaluator_at_aws_gets_the_alerts_and_whom_to_tell(describe: Callable[..., Fleet]) -> None:
    """With `alerts: amp` the workspace gets a rule namespace and its Alertmanager, in its own region; else none."""
    described = describe().model_dump(mode="json")
    fleet = Fleet.model_validate({**described, "monitoring": {"alerts": "amp", "amp": AMP}})

    registered = register(fleet)

    assert set(registered) - REST - ROLE_PARTS == {
        ("sparkfleet:cloud:Alerts", "demo-alerts"),
        ("aws:amp/ruleGroupNamespace:RuleGroupNamespace", "alerts"),
        ("aws:amp/alertManagerDefinition:AlertManagerDefinition", "alerts"),
    }
    rules = inputs(registered, "aws:amp/ruleGroupNamespace:RuleGroupNamespace", "alerts")
    assert (rules["workspaceId"], rules["region"], rules["name"]) == (
        AMP["workspace_id"],
        AMP["region"],
        "sparkfleet-demo",
    )
    assert "Watchdog" in rules["data"]
    assert "record" not in rules["data"]
    told = inputs(registered, "aws:amp/alertManagerDefinition:AlertManagerDefinition", "alerts")
    assert told["definition"].startswith("alertmanager_config: |")


def test_without_a_certificate_there_is_no_role(describe: Callable[..., Fleet]) -> None:
    """A role that no trust anchor narrows down does not exist; buckets and key do."""
    assert set(register(describe(trust_bundle=None))) == REST


def test_every_resource_hangs_below_the_fleet_and_uses_its_provider(registered: Registered) -> None:
    """No child stands at the top of the stack, and none falls back to the provider of the environment."""
    for (typ, name), request in registered.items():
        if typ != COMPONENT:
            assert COMPONENT in request.parent, (typ, name)
        if typ.startswith("aws:"):
            assert "::aws::" in request.provider, (typ, name)


def test_what_holds_data_is_protected_and_outlives_the_stack(registered: Registered) -> None:
    """Buckets and the key that opens them, and nothing else, are protected and retained."""
    buckets = {("aws:s3/bucket:Bucket", purpose) for purpose in ("datasets", "models", "audit")}
    holds_data = buckets | {("aws:kms/key:Key", "data")}

    assert {key for key, request in registered.items() if request.protect} == holds_data
    assert {key for key, request in registered.items() if request.retainOnDelete} == holds_data
    assert not inputs(registered, "aws:s3/bucket:Bucket", "datasets")["forceDestroy"]


def test_everything_is_tagged_through_the_provider(registered: Registered) -> None:
    """Region and tags come from the description, in one place."""
    provider = inputs(registered, "pulumi:providers:aws", "aws")

    assert provider["region"] == "eu-west-1"
    assert json.loads(provider["defaultTags"]) == {"tags": {"project": "sparkfleet", "fleet": "demo"}}


@pytest.mark.parametrize("purpose", ["datasets", "models"])
def test_a_bucket_is_versioned_encrypted_closed_and_tls_only(registered: Registered, purpose: str) -> None:
    """Each protection with the very inputs that make it one."""
    name = f"oceanid-ml-{purpose}"
    key = "arn:aws:aws:kms/key:Key:data"
    seen = {typ.rsplit(":", 1)[-1]: inputs(registered, typ, purpose) for typ in BUCKET_PARTS if typ.startswith("aws:")}

    assert seen["Bucket"]["bucket"] == name
    assert all(part["bucket"] == f"{name}-id" for kind, part in seen.items() if kind != "Bucket")
    assert seen["BucketVersioning"]["versioningConfiguration"] == {"status": "Enabled"}
    assert seen["BucketServerSideEncryptionConfiguration"]["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key},
            "bucketKeyEnabled": True,
        }
    ]
    assert seen["BucketOwnershipControls"]["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    block = seen["BucketPublicAccessBlock"]
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(block[flag] is True for flag in names)
    denials = {statement["Sid"] for statement in seen["BucketPolicy"]["policy"]["Statement"]}
    assert denials == {"TlsOnly", "DenyOtherEncryption", "DenyOtherKey"}
    assert f"arn:aws:s3:::{name}" in seen["BucketPolicy"]["policy"]["Statement"][0]["Resource"]
    rules = seen["BucketLifecycleConfiguration"]["rules"]
    assert [rule["abortIncompleteMultipartUpload"] for rule in rules] == [{"daysAfterInitiation": 7}]


def test_audit_records_are_locked_for_a_year_and_written_once(registered: Registered) -> None:
    """Object lock from the start, in the mode that binds root, too; nobody deletes, nobody writes without condition."""
    bucket = inputs(registered, "aws:s3/bucket:Bucket", "audit")
    lock = inputs(registered, "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", "audit")
    encryption = inputs(
        registered,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "audit",
    )
    policy = inputs(registered, "aws:s3/bucketPolicy:BucketPolicy", "audit")["policy"]
    others = inputs(registered, "aws:s3/bucket:Bucket", "datasets")

    assert (bucket["bucket"], bucket["objectLockEnabled"]) == ("oceanid-ml-audit", True)
    assert "objectLockEnabled" not in others
    assert lock["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 365}}
    assert encryption["rules"][0]["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    assert {s["Sid"]: s["Effect"] for s in policy["Statement"]} == {
        "TlsOnly": "Deny",
        "NobodyDeletes": "Deny",
        "NobodyOverwrites": "Deny",
    }


def test_what_the_controllers_own_credentials_need_is_an_output(describe: Callable[..., Fleet]) -> None:
    """The policy to attach lets the controller add and list audit records of this bucket, and nothing else."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)
    told: list[str] = []

    @pulumi.runtime.test
    def program() -> Any:
        policy = provide(describe(), [RULES]).controller_policy
        assert policy
        return policy.apply(told.append)

    program()

    rules = {statement["Sid"]: statement for statement in json.loads(told[0])["Statement"]}
    assert rules["AddRecords"]["Action"] == "s3:PutObject"
    assert rules["AddRecords"]["Resource"] == "arn:aws:s3:::oceanid-ml-audit/audit/*"
    assert set(rules) == {"AddRecords", "ListRecords"}


def test_the_key_is_rotated_and_stays_manageable(registered: Registered) -> None:
    """Rotation on, the longest deletion window, and the account's own IAM decides."""
    key = inputs(registered, "aws:kms/key:Key", "data")

    assert (key["enableKeyRotation"], key["deletionWindowInDays"]) == (True, 30)
    assert [statement["Principal"] for statement in key["policy"]["Statement"]] == [
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    ]


def test_the_role_is_reached_by_the_fleets_certificates_alone(registered: Registered) -> None:
    """Trust is narrowed by the anchor and by the hosts' names, and a session lasts an hour at most."""
    role = inputs(registered, "aws:iam/role:Role", "hosts")
    [statement] = role["assumeRolePolicy"]["Statement"]

    assert statement["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": "arn:aws:aws:rolesanywhere/trustAnchor:TrustAnchor:demo-hosts"},
        "StringEquals": {"aws:PrincipalTag/x509Subject/CN": ["spark-01", "spark-02"]},
    }
    anchor = inputs(registered, "aws:rolesanywhere/trustAnchor:TrustAnchor", "hosts")
    assert anchor["source"] == {
        "sourceType": "CERTIFICATE_BUNDLE",
        "sourceData": {"x509CertificateData": CERTIFICATE},
    }
    profile = inputs(registered, "aws:rolesanywhere/profile:Profile", "hosts")
    assert (role["maxSessionDuration"], profile["durationSeconds"]) == (3600, 3600)


def test_the_roles_policy_names_the_real_buckets_and_key(registered: Registered) -> None:
    """One document serves all hosts: its prefix is the certificate's common name, its key use is bound to S3."""
    document = inputs(registered, "aws:iam/policy:Policy", "hosts")["policy"]
    rules = {statement["Sid"]: statement for statement in document["Statement"]}

    prefix = "hosts/${aws:PrincipalTag/x509Subject/CN}/*"
    assert rules["OwnPrefix"]["Resource"] == f"arn:aws:s3:::oceanid-ml-datasets/{prefix}"
    assert rules["ListModels"]["Resource"] == "arn:aws:s3:::oceanid-ml-models"
    assert rules["UseDataKeyThroughS3"]["Resource"] == "arn:aws:aws:kms/key:Key:data"
    assert rules["UseDataKeyThroughS3"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}
    }


def test_models_are_written_by_certificates_of_hosts_with_the_label_loop(describe: Callable[..., Fleet]) -> None:
    """The one document for all hosts names those that may, by their certificates."""
    fleet = describe()
    looped = fleet.hosts["spark-02"].model_copy(update={"roles": [Role.NODE, Role.LABEL]})
    registered = register(fleet.model_copy(update={"hosts": {**fleet.hosts, "spark-02": looped}}))
    document = inputs(registered, "aws:iam/policy:Policy", "hosts")["policy"]
    [rule] = [statement for statement in document["Statement"] if statement["Sid"] == "PromoteModels"]

    assert rule["Resource"] == "arn:aws:s3:::oceanid-ml-models/calypso/*"
    assert rule["Condition"] == {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "spark-02"}}


@pytest.mark.parametrize("content", ["", "-----BEGIN PRIVATE KEY-----\nMIIB\n", CERTIFICATE + "BEGIN PRIVATE KEY"])
def test_a_bundle_that_is_no_certificate_is_refused(
    describe: Callable[..., Fleet], tmp_path: Path, content: str
) -> None:
    """A private key in place of a certificate would go to AWS and into the state: refused, and not quoted."""
    bundle = tmp_path / "wrong.pem"
    bundle.write_text(content)

    with pytest.raises(ConfigError, match=r"cloud\.aws\.trust_bundle") as raised:
        register(describe(trust_bundle=str(bundle)))
    assert "MIIB" not in str(raised.value)
