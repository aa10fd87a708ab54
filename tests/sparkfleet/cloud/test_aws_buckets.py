"""The buckets of the AWS account, mocked: each protection with the very inputs that make it one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sparkfleet.cloud.account import described, inputs, register, statements
from tests.sparkfleet.cloud.recorded import ACCOUNT, EVERYTHING

if TYPE_CHECKING:
    from tests.sparkfleet.recorder import Registered

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

DATA = ("datasets", "models", "artifacts")
SOURCES = [f"arn:aws:s3:::oceanid-ml-{purpose}" for purpose in ("artifacts", "audit", "datasets", "models")]
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/data"  # as the recorder names it, whatever the region
TRAIL = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/demo-requests"


@pytest.fixture(scope="module")
def registered() -> Registered:
    """What is registered for a fleet with every switch on."""
    return register(described(**EVERYTHING))


@pytest.mark.parametrize("purpose", [*DATA, "audit", "logs"])
def test_a_bucket_is_versioned_closed_and_tls_only(registered: Registered, purpose: str) -> None:
    """Every bucket has all four flags, no access control lists, versions, and refuses requests without TLS."""
    name = f"oceanid-ml-{purpose}"
    block = inputs(registered, "BucketPublicAccessBlock", purpose)
    tls = statements(inputs(registered, "BucketPolicy", purpose)["policy"])["TlsOnly"]

    bucket = inputs(registered, "Bucket", purpose)
    assert (bucket["bucket"], bucket["tags"]) == (name, {"purpose": purpose})
    assert inputs(registered, "BucketVersioning", purpose)["versioningConfiguration"] == {"status": "Enabled"}
    assert inputs(registered, "BucketOwnershipControls", purpose)["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert {key: value for key, value in block.items() if key != "bucket"} == dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    assert (tls["Effect"], tls["Resource"]) == ("Deny", [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"])


@pytest.mark.parametrize("purpose", DATA)
def test_data_is_encrypted_with_the_fleets_key_alone(registered: Registered, purpose: str) -> None:
    """By default, with one request for the key a bucket; and any other encryption is refused."""
    encryption = inputs(registered, "BucketServerSideEncryptionConfiguration", purpose)
    policy = statements(inputs(registered, "BucketPolicy", purpose)["policy"])

    assert encryption["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY},
            "bucketKeyEnabled": True,
        }
    ]
    assert set(policy) == {"TlsOnly", "DenyOtherEncryption", "DenyOtherKey"}


@pytest.mark.parametrize(
    ("purpose", "rules"),
    [
        ("datasets", ["abort-abandoned-uploads", "tier-by-use", "end-older-versions"]),
        ("models", ["abort-abandoned-uploads", "end-older-versions"]),
        ("artifacts", ["abort-abandoned-uploads", "cold-when-old", "end-when-old", "end-older-versions"]),
        ("audit", ["abort-abandoned-uploads"]),
        ("logs", ["abort-abandoned-uploads", "end-when-old", "end-older-versions"]),
    ],
)
def test_what_ends_by_itself_ends_by_a_rule(registered: Registered, purpose: str, rules: list[str]) -> None:
    """Abandoned uploads end everywhere; current data sets, models and audit records never do."""
    found = inputs(registered, "BucketLifecycleConfiguration", purpose)["rules"]
    ends_current = [rule["id"] for rule in found if "days" in rule.get("expiration", {})]

    assert [rule["id"] for rule in found] == rules
    assert found[0]["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert ends_current == (["end-when-old"] if purpose in {"artifacts", "logs"} else [])


def test_logs_are_kept_as_long_as_described() -> None:
    """`log_retention_days` is the age at which a log ends."""
    rules = inputs(register(described(log_retention_days=90)), "BucketLifecycleConfiguration", "logs")["rules"]

    assert {rule["id"]: rule for rule in rules}["end-when-old"]["expiration"] == {"days": 90}


def test_released_models_are_locked_in_a_mode_that_yields_to_a_right() -> None:
    """Object lock by configuration: asked for with the bucket, it would replace one that exists. 0 days: no lock."""
    fleet = described()
    registered = register(fleet)
    unlocked = fleet.model_copy(update={"cloud": fleet.cloud.model_copy(update={"models_locked_days": 0})})

    lock = inputs(registered, "BucketObjectLockConfiguration", "models")
    assert lock["rule"] == {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}}
    assert "objectLockEnabled" not in inputs(registered, "Bucket", "models")
    assert ("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", "models") not in register(unlocked)


def test_audit_records_are_locked_for_a_year_and_written_once(registered: Registered) -> None:
    """Object lock from the start, in the mode that binds root, too; nobody deletes, nobody writes without condition."""
    encryption = inputs(registered, "BucketServerSideEncryptionConfiguration", "audit")
    policy = statements(inputs(registered, "BucketPolicy", "audit")["policy"])
    lock = inputs(registered, "BucketObjectLockConfiguration", "audit")

    assert inputs(registered, "Bucket", "audit")["objectLockEnabled"] is True
    assert lock["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 365}}
    assert encryption["rules"][0]["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    assert {name: rule["Effect"] for name, rule in policy.items()} == dict.fromkeys(
        ("TlsOnly", "NobodyDeletes", "NobodyOverwrites"), "Deny"
    )


@pytest.mark.parametrize("purpose", [*DATA, "audit"])
def test_every_access_is_logged_once_the_logs_bucket_takes_it(registered: Registered, purpose: str) -> None:
    """Each bucket writes below a prefix of its own, and only after the policy that lets it."""
    logging = inputs(registered, "BucketLogging", purpose)
    [request] = [r for (typ, name), r in registered.items() if typ.endswith(":BucketLogging") and name == purpose]

    assert (logging["targetBucket"], logging["targetPrefix"]) == ("oceanid-ml-logs", f"access/{purpose}/")
    assert any(urn.endswith("BucketPolicy::logs") for urn in request.dependencies)


@pytest.mark.parametrize("purpose", DATA)
def test_every_version_is_listed_weekly(registered: Registered, purpose: str) -> None:
    """The inventory goes to the bucket for logs, encrypted."""
    inventory = inputs(registered, "Inventory", purpose)
    target = inventory["destination"]["bucket"]

    assert (inventory["includedObjectVersions"], inventory["schedule"]) == ("All", {"frequency": "Weekly"})
    assert (target["bucketArn"], target["prefix"]) == ("arn:aws:s3:::oceanid-ml-logs", "inventory")
    assert target["encryption"] == {"sseS3": {}}


def test_only_aws_itself_adds_logs_and_only_about_the_fleet(registered: Registered) -> None:
    """Each service under a prefix of its own, on behalf of this account's buckets and trail: else others could."""
    rules = statements(inputs(registered, "BucketPolicy", "logs")["policy"])
    owner = {"aws:SourceAccount": ACCOUNT}
    given = {**owner, "s3:x-amz-acl": "bucket-owner-full-control"}
    about = {"aws:SourceArn": SOURCES}
    trail = {"ArnLike": {"aws:SourceArn": TRAIL}}

    def said(name: str) -> tuple[Any, ...]:
        rule = rules[name]
        return rule["Principal"]["Service"], rule["Resource"].partition("oceanid-ml-logs")[2], rule["Condition"]

    assert said("AccessLogs") == ("logging.s3.amazonaws.com", "/access/*", {"ArnLike": about, "StringEquals": owner})
    assert said("Inventories") == ("s3.amazonaws.com", "/inventory/*", {"ArnLike": about, "StringEquals": given})
    assert said("TrailLooks") == ("cloudtrail.amazonaws.com", "", {**trail, "StringEquals": owner})
    below = f"/cloudtrail/AWSLogs/{ACCOUNT}/*"
    assert said("TrailWrites") == ("cloudtrail.amazonaws.com", below, {**trail, "StringEquals": given})
    assert len(rules) == 5


def test_the_trail_sees_the_fleets_objects_and_not_its_own_logs(registered: Registered) -> None:
    """Requests for objects of the four buckets, files with digests, under the key that guards what is watched."""
    trail = inputs(registered, "Trail", "requests")
    [selector] = trail["advancedEventSelectors"]
    fields = {field["field"]: field for field in selector["fieldSelectors"]}

    assert sorted(fields["resources.ARN"]["startsWiths"]) == [f"{arn}/" for arn in SOURCES]
    assert (fields["eventCategory"]["equals"], fields["resources.type"]["equals"]) == (["Data"], ["AWS::S3::Object"])
    assert trail["kmsKeyId"].endswith(":key/watch")
    assert (trail["enableLogFileValidation"], trail["isMultiRegionTrail"]) == (True, True)
    assert (trail["name"], trail["s3BucketName"], trail["s3KeyPrefix"]) == (
        "demo-requests",
        "oceanid-ml-logs",
        "cloudtrail",
    )
