"""Each protection of the account → the same account without it: what the checks or checkov have to notice."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sparkfleet.cloud.recorded import Resource

Properties = dict[str, Any]
Statements = list[dict[str, Any]]


@dataclass(frozen=True)
class Weakening:
    """What is taken from every resource of a kind, one at a time. `change`: None takes the resource itself away."""

    words: str
    kind: str
    change: Callable[[Properties], Properties | None]


def gone(_properties: Properties) -> None:
    """Without the resource."""


def put(**values: Any) -> Callable[[Properties], Properties]:
    """With these values; None takes a property away."""

    def change(properties: Properties) -> Properties:
        return {key: value for key, value in {**properties, **values}.items() if value is not None}

    return change


def rewritten(key: str, edit: Callable[[Statements], Statements]) -> Callable[[Properties], Properties]:
    """With another list of statements in the policy under `key`."""

    def change(properties: Properties) -> Properties:
        document = json.loads(properties[key])
        statements = document["Statement"]
        document["Statement"] = edit(statements if isinstance(statements, list) else [statements])
        return {**properties, key: json.dumps(document)}

    return change


def without_condition(name: str) -> Callable[[Statements], Statements]:
    """Statements that do not ask for the condition key `name`."""

    def edit(statements: Statements) -> Statements:
        for statement in statements:
            for keys in statement.get("Condition", {}).values():
                keys.pop(name, None)
        return statements

    return edit


def for_everybody(statements: Statements) -> Statements:
    """The first statement, or one that there was not, allowing everybody."""
    return [{**statements[0], "Effect": "Allow", "Principal": "*"}, *statements[1:]]


def everything(statements: Statements) -> Statements:
    """With one statement more, that allows all there is."""
    return [*statements, {"Effect": "Allow", "Action": "*", "Resource": "*"}]


CLOSED = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
PARTS = (
    "BucketPublicAccessBlock",
    "BucketServerSideEncryptionConfiguration",
    "BucketOwnershipControls",
    "BucketVersioning",
    "BucketLifecycleConfiguration",
    "BucketPolicy",
    "BucketLogging",
)
WEAKENINGS = [
    *(Weakening(f"no {kind}", kind, gone) for kind in PARTS),
    *(Weakening(f"{flag} off", "BucketPublicAccessBlock", put(**{flag: False})) for flag in CLOSED),
    Weakening("suspended", "BucketVersioning", put(versioningConfiguration={"status": "Suspended"})),
    Weakening("objects of others", "BucketOwnershipControls", put(rule={"objectOwnership": "ObjectWriter"})),
    Weakening("uploads for ever", "BucketLifecycleConfiguration", put(rules=[])),
    Weakening("plain text", "BucketPolicy", rewritten("policy", lambda s: [x for x in s if x["Sid"] != "TlsOnly"])),
    Weakening("everybody", "BucketPolicy", rewritten("policy", for_everybody)),
    Weakening("emptied when deleted", "Bucket", put(forceDestroy=True)),
    Weakening("lists of access", "Bucket", put(acl="public-read")),
    Weakening("never rotated", "Key", put(enableKeyRotation=False)),
    Weakening("no policy", "Key", put(policy=None)),
    Weakening("everybody", "Key", rewritten("policy", for_everybody)),
    Weakening("any name", "Role", rewritten("assumeRolePolicy", without_condition("aws:PrincipalTag/x509Subject/CN"))),
    Weakening("any authority", "Role", rewritten("assumeRolePolicy", without_condition("aws:SourceArn"))),
    Weakening("everybody", "Role", rewritten("assumeRolePolicy", for_everybody)),
    Weakening("no boundary", "Role", put(permissionsBoundary=None)),
    Weakening("half a day", "Role", put(maxSessionDuration=43200)),
    Weakening("half a day", "Profile", put(durationSeconds=43200)),
    Weakening("everything", "Policy", rewritten("policy", everything)),
    Weakening("plain", "Topic", put(kmsMasterKeyId=None)),
    Weakening("AWS's key", "Topic", put(kmsMasterKeyId="alias/aws/sns")),
    Weakening("everybody", "TopicPolicy", rewritten("policy", for_everybody)),
    Weakening("plain", "LogGroup", put(kmsKeyId=None)),
    Weakening("for ever", "LogGroup", put(retentionInDays=0)),
    Weakening("for a month", "LogGroup", put(retentionInDays=30)),
    Weakening("nobody told", "MetricAlarm", put(alarmActions=[], okActions=[], actionsEnabled=False)),
    Weakening("plain", "Trail", put(kmsKeyId=None)),
    Weakening("unproven", "Trail", put(enableLogFileValidation=False)),
    Weakening("one region", "Trail", put(isMultiRegionTrail=False)),
    Weakening("plain", "Workspace", put(kmsKeyArn=None)),
]


def variants(resources: list[Resource]) -> Iterator[tuple[str, list[Resource]]]:
    """Every weakening of every resource that it concerns: in words, and the account with nothing else changed."""
    for weakening in WEAKENINGS:
        for resource in resources:
            if resource.asked.kind == weakening.kind:
                changed = weakening.change(dict(resource.asked.properties))
                others = [each for each in resources if each is not resource]
                words = f"{weakening.kind} {resource.asked.name}: {weakening.words}"
                if changed is None:
                    yield words, others
                else:
                    asked = dataclasses.replace(resource.asked, properties=changed)
                    # A property that is changed comes of no other resource any more.
                    same = {key for key, value in changed.items() if resource.asked.properties.get(key) == value}
                    needs = {key: needed for key, needed in resource.needs.items() if key in same}
                    yield words, [*others, dataclasses.replace(resource, asked=asked, needs=needs)]
