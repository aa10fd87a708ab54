"""What the program refuses before it asks AWS for anything: each fault alone, all of them at once, in any form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparkfleet.cloud import checks, documents
from sparkfleet.cloud.checks import UNKNOWN, Asked

HOST_CONDITION = {
    "ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"},
    "StringEquals": {"aws:PrincipalTag/x509Subject/CN": ["spark-01"]},
}
TLS_ONLY = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def text(*statements: Any) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(condition: Any, principal: Any = "rolesanywhere.amazonaws.com") -> str:
    """The trust of a role."""
    rule = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole", "Condition": condition}
    return text(rule)


BUCKET: dict[str, dict[str, Any]] = {
    "Bucket": {"bucket": "b", "forceDestroy": False},
    "BucketPublicAccessBlock": dict.fromkeys(checks.OPEN_FLAGS, True),
    "BucketServerSideEncryptionConfiguration": {
        "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": UNKNOWN}}]
    },
    "BucketVersioning": {"versioningConfiguration": {"status": "Enabled"}},
    "BucketOwnershipControls": {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
    "BucketLifecycleConfiguration": {
        "rules": [{"status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}]
    },
    "BucketPolicy": {"policy": text(TLS_ONLY)},
}
OTHERS: dict[str, dict[str, Any]] = {
    "Key": {"enableKeyRotation": True, "policy": UNKNOWN},
    "Role": {"assumeRolePolicy": trust(HOST_CONDITION), "maxSessionDuration": 3600, "permissionsBoundary": UNKNOWN},
    "Profile": {"durationSeconds": 3600},
    "Topic": {"kmsMasterKeyId": UNKNOWN},
    "LogGroup": {"kmsKeyId": UNKNOWN, "retentionInDays": 365},
    "Trail": {"kmsKeyId": UNKNOWN, "enableLogFileValidation": True},
    "Workspace": {"kmsKeyArn": UNKNOWN},
}


def asked(kind: str, properties: dict[str, Any], name: str = "datasets", *, kept: bool = True) -> Asked:
    """One resource of the component `c`."""
    service = "s3/bucket" if kind.startswith("Bucket") else "x/y"
    return Asked(f"aws:{service}:{kind}", name, properties, parent="c", protected=kept, outlives=kept)


def sound() -> dict[str, Asked]:
    """Kind → resource of an account without a fault."""
    return {kind: asked(kind, properties) for kind, properties in (BUCKET | OTHERS).items()}


def test_an_account_without_a_fault_is_let_through() -> None:
    """Values that are known only later count as given."""
    assert checks.faults(sound().values()) == []


@pytest.mark.parametrize("kind", [kind for kind in BUCKET if kind != "Bucket"])
def test_each_part_that_protects_a_bucket_is_missed(kind: str) -> None:
    """Without any one of them there is exactly one fault, and it names the bucket."""
    resources = sound()
    del resources[kind]

    [said] = checks.faults(resources.values())
    assert said.startswith("aws:s3/bucket:Bucket datasets: ")


@pytest.mark.parametrize(
    ("kind", "properties", "words"),
    [
        *(("BucketPublicAccessBlock", {flag: False}, "not closed to the public") for flag in checks.OPEN_FLAGS),
        ("BucketServerSideEncryptionConfiguration", {"rules": []}, "not encrypted"),
        ("BucketVersioning", {"versioningConfiguration": {"status": "Suspended"}}, "not versioned"),
        ("BucketOwnershipControls", {"rule": {"objectOwnership": "ObjectWriter"}}, "lets others own"),
        ("BucketLifecycleConfiguration", {"rules": []}, "abandoned uploads"),
        ("BucketPolicy", {"policy": text()}, "does not refuse requests without TLS"),
        ("BucketPolicy", {"policy": text({**TLS_ONLY, "Resource": "arn:aws:s3:::b/*"})}, "without TLS"),
        ("BucketPolicy", {"policy": text({**TLS_ONLY, "Principal": {"AWS": "arn:x"}})}, "without TLS"),
        ("BucketPolicy", {"policy": text({**TLS_ONLY, "Action": "s3:GetObject"})}, "without TLS"),
        ("BucketPolicy", {"policy": "{}"}, "no policy document"),
        ("Bucket", {"forceDestroy": True}, "emptied"),
        ("Bucket", {"acl": "public-read"}, "access control list"),
        ("Key", {"enableKeyRotation": False}, "not rotated"),
        ("Role", {"permissionsBoundary": None}, "no permissions boundary"),
        ("Role", {"maxSessionDuration": 43200}, "3600 s at most"),
        ("Role", {"maxSessionDuration": None}, "3600 s at most"),
        ("Role", {"assumeRolePolicy": trust({"ArnEquals": HOST_CONDITION["ArnEquals"]})}, "common name"),
        ("Role", {"assumeRolePolicy": trust({"StringEquals": HOST_CONDITION["StringEquals"]})}, "aws:SourceArn"),
        ("Role", {"assumeRolePolicy": trust(HOST_CONDITION, "*")}, "allows everybody"),
        ("Profile", {"durationSeconds": 7200}, "3600 s at most"),
        ("Topic", {"kmsMasterKeyId": "alias/aws/sns"}, "not encrypted"),
        ("LogGroup", {"kmsKeyId": None}, "not encrypted"),
        ("LogGroup", {"retentionInDays": 0}, "for ever"),
        ("Trail", {"enableLogFileValidation": False}, "changed"),
        ("Workspace", {"kmsKeyArn": None}, "not encrypted"),
    ],
)
def test_each_weakened_property_is_refused(kind: str, properties: dict[str, Any], words: str) -> None:
    """One property changed is one fault, in words that say what it means."""
    resources = sound()
    resources[kind] = asked(kind, {**resources[kind].properties, **properties})

    [said] = checks.faults(resources.values())
    assert words in said


@pytest.mark.parametrize(
    "condition",
    [
        {**HOST_CONDITION, "StringEquals": {"aws:PrincipalTag/x509Subject/CN": []}},
        {**HOST_CONDITION, "StringEquals": {"aws:PrincipalTag/x509Subject/CN": ["spark-01", "*"]}},
        {"ArnEquals": HOST_CONDITION["ArnEquals"], "StringLike": {"aws:PrincipalTag/x509Subject/CN": "spark-01"}},
        {"ArnEquals": HOST_CONDITION["ArnEquals"], "StringEqualsIfExists": HOST_CONDITION["StringEquals"]},
        {"ArnEquals": HOST_CONDITION["ArnEquals"], "StringEquals": {"aws:PrincipalTag/x509Subject/OU": "x"}},
    ],
)
def test_a_condition_that_looks_like_the_one_on_the_name_is_none(condition: Any) -> None:
    """No names, a pattern, an operator that lets a missing tag through, another field of the certificate."""
    resources = {"Role": asked("Role", {**OTHERS["Role"], "assumeRolePolicy": trust(condition)})}

    [said] = checks.faults(resources.values())
    assert "common name" in said


@pytest.mark.parametrize("kind", sorted(checks.REFUSED))
def test_what_has_a_key_without_end_is_refused(kind: str) -> None:
    """Users, their keys, policies within a role and access control lists have no place here."""
    assert len(checks.faults([asked(kind, {})])) == 1


@pytest.mark.parametrize("kind", sorted(checks.HOLDS_DATA))
def test_what_holds_data_is_protected_and_outlives_the_stack(kind: str) -> None:
    """A bucket or a key that `pulumi destroy` would delete is refused."""
    resources = sound()
    resources[kind] = asked(kind, (BUCKET | OTHERS)[kind], kept=False)

    [said] = checks.faults(resources.values())
    assert "pulumi destroy" in said


def test_only_named_buckets_are_encrypted_with_s3s_own_key() -> None:
    """The audit log and the access logs have a reason to be; data has none."""
    own = {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}
    lock = {"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 365}}}
    parts = {**BUCKET, "BucketServerSideEncryptionConfiguration": own, "BucketObjectLockConfiguration": lock}

    faulty = {
        name: len(checks.faults(asked(kind, properties, name) for kind, properties in parts.items()))
        for name in ("datasets", "models", "artifacts", "audit", "logs")
    }
    assert faulty == {"datasets": 1, "models": 1, "artifacts": 1, "audit": 0, "logs": 0}


@pytest.mark.parametrize("rule", [None, {"mode": "GOVERNANCE", "days": 365}, {"mode": "COMPLIANCE"}])
def test_audit_records_are_locked_in_the_mode_that_binds_root(rule: Any) -> None:
    """No lock, one that a right of its own takes off, and one that ends at once are refused."""
    parts = {**BUCKET, "BucketObjectLockConfiguration": {"rule": {"defaultRetention": rule}}}

    [said] = checks.faults(asked(kind, properties, "audit") for kind, properties in parts.items())
    assert "take audit records back" in said


def test_one_buckets_parts_do_not_protect_another() -> None:
    """Beside a sound bucket a bare one of the same component is refused by its own name, for each thing it lacks."""
    said = checks.faults([*sound().values(), asked("Bucket", BUCKET["Bucket"], "bare")])

    assert len(said) == len(checks.BUCKET_PARTS)
    assert all("Bucket bare" in line for line in said)


@given(gone=st.sets(st.sampled_from([kind for kind in BUCKET if kind != "Bucket"])))
def test_all_faults_are_told_at_once(gone: set[str]) -> None:
    """However many protections are missing, each is one line."""
    left = [resource for kind, resource in sound().items() if kind not in gone]

    assert len(checks.faults(left)) == len(gone)


NAMES = st.sampled_from(["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/x", "111122223333"])
EVERYBODY = st.one_of(
    st.just("*"),
    st.sampled_from(["AWS", "Service", "Federated", "CanonicalUser"]).map(lambda kind: {kind: "*"}),
    st.lists(NAMES).flatmap(lambda named: st.permutations([*named, "*"])).map(lambda named: {"AWS": named}),
)
SOMEBODY = st.lists(NAMES, min_size=1).map(lambda named: {"AWS": named})
CONDITIONS = st.sampled_from([{}, {"StringEquals": {"aws:SourceAccount": "111122223333"}}])


@given(everybody=EVERYBODY, others=st.lists(SOMEBODY), condition=CONDITIONS, where=st.integers(0, 9))
def test_an_allowance_for_everybody_is_found_wherever_it_hides(
    everybody: Any, others: list[Any], condition: Any, where: int
) -> None:
    """In any of its four spellings, among any statements, with any condition; the same for somebody named is none."""

    def allow(principal: Any) -> dict[str, Any]:
        rule = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
        return {**rule, "Condition": condition} if condition else rule

    fine = [TLS_ONLY, *map(allow, others)]
    weak = [*fine[:where], allow(everybody), *fine[where:]]

    assert list(documents.faults(documents.Purpose.BUCKET, text(*fine))) == []
    assert any("everybody" in said for said in documents.faults(documents.Purpose.BUCKET, text(*weak)))


PIECES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
WORDS = st.sampled_from(
    ["Statement", "Effect", "Allow", "Deny", "Principal", "AWS", "*", "Action", "Condition", "Bool"]
)
ANYTHING = st.recursive(PIECES | WORDS, lambda s: st.lists(s, max_size=3) | st.dictionaries(WORDS, s, max_size=4))


@given(of=st.sampled_from(documents.Purpose), data=ANYTHING)
@example(of=documents.Purpose.TRUST, data={"Statement": {"Effect": []}})
def test_whatever_stands_for_a_policy_is_judged(of: documents.Purpose, data: Any) -> None:
    """Text that is no policy is a fault or has one, never a crash: somebody else's library may have written it."""
    assert all(isinstance(said, str) for said in documents.faults(of, json.dumps(data)))
    assert (
        list(documents.faults(of, json.dumps({"Statement": [{"Effect": "Allow", "Principal": data}]}))) or data != "*"
    )
