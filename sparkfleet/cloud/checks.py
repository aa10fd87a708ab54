"""Resources as they are asked for → every fault that a careful account must not have, each with the resource's name.

Plain functions, no Pulumi: `sparkfleet.cloud.gate` calls them on the running program, tests on what mocks recorded.
What is refused: an allowance for everybody, a bucket that is public or lacks one of its protections, data that is not
encrypted, a role that a certificate of another name could get. Sources: CIS AWS Foundations 2.1, Security Hub S3.1-9,
the IAM Roles Anywhere user guide ("Trust model"). What is merely advisable is left to checkov (tests only).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkfleet.cloud import documents

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

LONGEST_SESSION_S = 3600
OPEN_FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
AUDIT = "audit"
"""The logical name of the bucket for audit records."""
S3_OWN_KEY = {
    AUDIT: "a list shows each object's MD5 only then, and `spark audit --verify` compares it",
    "logs": "S3 delivers access logs to no bucket that another key encrypts",
}
"""Logical names of buckets that S3's own key encrypts → why not the fleet's."""


class Unknown:
    """Stands for a value that is known only once another resource is made."""


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Asked:
    """One resource as the program asks for it; property names as the engine spells them (camelCase).

    `parent`: the component above it. A bucket's parts have the bucket's parent and its logical name.
    """

    type: str
    name: str
    properties: Mapping[str, Any]
    parent: Hashable = None
    protected: bool = False
    outlives: bool = False

    @property
    def kind(self) -> str:
        """`Bucket` of `aws:s3/bucket:Bucket`."""
        return self.type.rpartition(":")[2]


def faults(resources: Iterable[Asked]) -> list[str]:
    """Every fault of every AWS resource, one line each; empty when all is as it must be."""
    asked = [each for each in resources if each.type.startswith("aws:")]
    beside: dict[Hashable, dict[str, Asked]] = defaultdict(dict)
    for each in asked:
        beside[each.parent, each.name][each.kind] = each
    buckets = [(each, beside[each.parent, each.name]) for each in asked if each.kind == "Bucket"]
    found = [(each, said) for each in asked for said in _own_faults(each)]
    found += [(bucket, said) for bucket, parts in buckets for said in _bucket(bucket, parts)]
    return [f"{each.type} {each.name}: {said}" for each, said in found]


def document_faults(typ: str, name: str, key: str, text: str) -> list[str]:
    """What must not stand in the policy that resource `name` has under `key`, and what is missing in it."""
    return [f"{typ} {name}: {said}" for said in documents.faults(documents.purpose(typ, key), text)]


def _own_faults(each: Asked) -> Iterator[str]:
    """What one resource shows by itself."""
    for key in documents.KEYS:
        if isinstance(text := each.properties.get(key), str):
            yield from documents.faults(documents.purpose(each.type, key), text)
    if each.kind in REFUSED:
        yield REFUSED[each.kind]
    if rule := RULES.get(each.kind):
        yield from rule(each.properties)
    if each.kind in HOLDS_DATA and not (each.protected and each.outlives):
        yield "is not protected, or does not outlive the stack: `pulumi destroy` would take data away"


def _bucket(bucket: Asked, parts: Mapping[str, Asked]) -> Iterator[str]:
    """What protects a bucket stands in resources of its own, beside it: each is there, and says what it must."""
    for kind, (holds, said) in BUCKET_PARTS.items():
        if kind not in parts or not holds(parts[kind].properties):
            yield said
    encryption = parts.get("BucketServerSideEncryptionConfiguration")
    default = _encryption(encryption.properties) if encryption else {}
    if default.get("sseAlgorithm") == "AES256" and bucket.name not in S3_OWN_KEY:
        yield "is encrypted with a key that is not the fleet's"
    lock = parts.get("BucketObjectLockConfiguration")
    if bucket.name == AUDIT and not (lock and _compliance(lock.properties)):
        yield "lets somebody take audit records back: no object lock in COMPLIANCE mode"


def _encryption(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    rules = properties.get("rules") or [{}]
    default: Mapping[str, Any] = rules[0].get("applyServerSideEncryptionByDefault") or {}
    return default


def _encrypted(properties: Mapping[str, Any]) -> bool:
    default = _encryption(properties)
    algorithm = default.get("sseAlgorithm")
    return algorithm == "AES256" or (algorithm == "aws:kms" and bool(default.get("kmsMasterKeyId")))


def _compliance(properties: Mapping[str, Any]) -> bool:
    retention = (properties.get("rule") or {}).get("defaultRetention") or {}
    return retention.get("mode") == "COMPLIANCE" and bool(retention.get("days"))


def _abandoned_uploads_end(properties: Mapping[str, Any]) -> bool:
    rules = properties.get("rules") or []
    return any(rule.get("abortIncompleteMultipartUpload") and rule.get("status") == "Enabled" for rule in rules)


def _plain_bucket(properties: Mapping[str, Any]) -> Iterator[str]:
    if properties.get("forceDestroy"):
        yield "would be emptied when it is deleted (force_destroy)"
    if properties.get("acl"):
        yield "has an access control list"


def _role(properties: Mapping[str, Any]) -> Iterator[str]:
    if "assumeRolePolicy" not in properties:
        yield "says of nobody that he may assume it"
    if not properties.get("permissionsBoundary"):
        yield "has no permissions boundary"
    if properties.get("inlinePolicies") or properties.get("managedPolicyArns"):
        yield "has policies that stand in no resource of their own"
    yield from _session(properties.get("maxSessionDuration"))


def _session(seconds: Any) -> Iterator[str]:
    if not isinstance(seconds, int | float) or seconds > LONGEST_SESSION_S:
        yield f"sessions may last {seconds} s; {LONGEST_SESSION_S} s at most"


def _profile(properties: Mapping[str, Any]) -> Iterator[str]:
    yield from _session(properties.get("durationSeconds"))


def _key(properties: Mapping[str, Any]) -> Iterator[str]:
    if properties.get("enableKeyRotation") is not True:
        yield "is not rotated"
    if "policy" not in properties:
        yield "has no policy of its own"


def _with_customers_key(key: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def rule(properties: Mapping[str, Any]) -> Iterator[str]:
        value = properties.get(key)
        # AWS's own keys cannot be opened to the services that have to use them.
        if not value or (isinstance(value, str) and "alias/aws/" in value):
            yield "is not encrypted with a key of the fleet"

    return rule


def _log_group(properties: Mapping[str, Any]) -> Iterator[str]:
    yield from _with_customers_key("kmsKeyId")(properties)
    if not properties.get("retentionInDays"):
        yield "keeps what is logged for ever"


def _trail(properties: Mapping[str, Any]) -> Iterator[str]:
    yield from _with_customers_key("kmsKeyId")(properties)
    if properties.get("enableLogFileValidation") is not True:
        yield "does not show when its records were changed"


HOLDS_DATA = {"Bucket", "Key", "Workspace"}
REFUSED = {
    "User": "hosts and people have no users here: a user has a key that does not end",
    "AccessKey": "a key that does not end",
    "BucketAcl": "access control lists are off",
    "RolePolicy": "a policy within a role: no boundary and no list shows it",
    "UserPolicy": "hosts and people have no users here",
}
RULES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "Bucket": _plain_bucket,
    "Key": _key,
    "LogGroup": _log_group,
    "Profile": _profile,
    "Role": _role,
    "Topic": _with_customers_key("kmsMasterKeyId"),
    "Trail": _trail,
    "Workspace": _with_customers_key("kmsKeyArn"),
}
BUCKET_PARTS: Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], str]] = {
    "BucketPublicAccessBlock": (
        lambda p: all(p.get(flag) is True for flag in OPEN_FLAGS),
        "is not closed to the public (all four flags of its public access block)",
    ),
    "BucketServerSideEncryptionConfiguration": (_encrypted, "is not encrypted"),
    "BucketVersioning": (
        lambda p: (p.get("versioningConfiguration") or {}).get("status") == "Enabled",
        "is not versioned: what is deleted or overwritten is gone",
    ),
    "BucketOwnershipControls": (
        lambda p: (p.get("rule") or {}).get("objectOwnership") == "BucketOwnerEnforced",
        "lets others own objects in it, and access control lists count",
    ),
    "BucketLifecycleConfiguration": (_abandoned_uploads_end, "keeps abandoned uploads for ever"),
    "BucketPolicy": (lambda p: bool(p.get("policy")), "has no policy, so that requests without TLS are answered"),
}
