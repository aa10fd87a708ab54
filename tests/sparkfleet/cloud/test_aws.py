"""The AWS side, mocked: what is registered with Pulumi, whose child, protected or not, and by which switch.

No live account stands behind these tests: they show what would be asked for, not that AWS would grant it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from sparkfleet.cloud.account import roles
from sparkfleet.cloud.aws import Account
from sparkfleet.errors import ConfigError
from tests.sparkfleet.cloud.account import AMP, COMPONENT, described, inputs, register
from tests.sparkfleet.cloud.recorded import ACCOUNT, CERTIFICATE, EVERYTHING, Answers
from tests.sparkfleet.recorder import Recorder, Registered

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

PURPOSES = ("datasets", "models", "artifacts", "audit", "logs")
Kinds = set[tuple[str, str]]


@pytest.fixture(scope="module")
def everything() -> Registered:
    """What is registered for a fleet with every switch on."""
    cloud = described(**EVERYTHING).cloud.model_copy(update={"calypso": True})
    return register(described({"monitoring": {"alerts": "amp", "amp": AMP}}).model_copy(update={"cloud": cloud}))


def kinds(registered: Registered) -> Kinds:
    """Each resource by the last word of its type, and its name."""
    return {(typ.rpartition(":")[2], name) for typ, name in registered}


PLAIN: Kinds = {("Key", "data"), ("Alias", "data"), ("Key", "watch"), ("Alias", "watch")} | {
    (kind, purpose)
    for purpose in PURPOSES
    for kind in (
        "ProtectedBucket",
        "Bucket",
        "BucketVersioning",
        "BucketServerSideEncryptionConfiguration",
        "BucketOwnershipControls",
        "BucketPublicAccessBlock",
        "BucketPolicy",
        "BucketLifecycleConfiguration",
    )
}
PLAIN |= {("BucketLogging", purpose) for purpose in PURPOSES if purpose != "logs"}
PLAIN |= {("Inventory", purpose) for purpose in ("datasets", "models", "artifacts")}
PLAIN |= {("BucketObjectLockConfiguration", purpose) for purpose in ("models", "audit")}
PLAIN |= {("Account", "demo"), ("aws", "aws"), ("Topic", "demo-alarms"), ("Topic", "alarms"), ("TopicPolicy", "alarms")}
ROLES: Kinds = {
    ("HostRole", "demo-hosts"),
    ("TrustAnchor", "hosts"),
    ("Role", "hosts"),
    ("Policy", "hosts"),
    ("Policy", "boundary"),
    ("RolePolicyAttachment", "hosts"),
    ("Profile", "hosts"),
    ("Alarms", "demo-alarms"),
    ("MetricAlarm", "anchor"),
}
CALYPSO: Kinds = {("CalypsoRole", "demo-calypso")} | {
    (kind, "calypso") for kind in ("Role", "Policy", "RolePolicyAttachment", "Profile")
}
WORKSPACE: Kinds = {
    ("Workspace", "demo-workspace"),
    ("Workspace", "workspace"),
    ("LogGroup", "workspace"),
    ("Topic", "demo-alerts"),
    ("Topic", "alerts"),
    ("TopicPolicy", "alerts"),
}
PAGING: Kinds = {("Alerts", "demo-alerts"), ("RuleGroupNamespace", "alerts"), ("AlertManagerDefinition", "alerts")}
MAIL: Kinds = {("TopicSubscription", "alarms-fleet@example.org")}
MORE_MAIL: Kinds = {("TopicSubscription", "alerts-fleet@example.org")}
SPENDING: Kinds = {("Spending", "demo-spending")}
BUDGET: Kinds = {("Budget", "monthly")}
ANOMALIES: Kinds = {("AnomalyMonitor", "anomalies"), ("AnomalySubscription", "anomalies")}
TRAIL: Kinds = {("DataEvents", "demo-data-events"), ("Trail", "requests")}


@pytest.mark.parametrize(
    ("switch", "adds"),
    [
        ({}, set()),
        ({"workspace": True}, WORKSPACE),
        ({"alarm_mail": ["fleet@example.org"]}, MAIL),
        ({"budget_usd": 200}, SPENDING | BUDGET),
        ({"cost_anomaly_usd": 20}, SPENDING | ANOMALIES),
        ({"data_events": True}, TRAIL),
        (EVERYTHING, WORKSPACE | MAIL | MORE_MAIL | SPENDING | BUDGET | ANOMALIES | TRAIL),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_exactly_these_resources_are_registered(switch: dict[str, Any], adds: Kinds) -> None:
    """The whole list, so that nothing is added or lost unseen, by each switch: no user, no access key."""
    assert kinds(register(described(**switch))) == PLAIN | ROLES | adds


def test_calypso_and_an_evaluator_at_aws_add_their_own() -> None:
    """With `calypso` a role that only reads; with `alerts: amp` the rules and the Alertmanager, in AMP's own region."""
    fleet = described({"monitoring": {"alerts": "amp", "amp": AMP}})
    served = fleet.model_copy(update={"cloud": fleet.cloud.model_copy(update={"calypso": True})})

    registered = register(served)

    assert kinds(registered) - PLAIN - ROLES == CALYPSO | PAGING
    rules = inputs(registered, "RuleGroupNamespace", "alerts")
    place = (rules["workspaceId"], rules["region"], rules["name"])
    assert place == (AMP["workspace_id"], AMP["region"], "sparkfleet-demo")
    assert "Watchdog" in rules["data"]
    assert "record" not in rules["data"]
    assert inputs(registered, "AlertManagerDefinition", "alerts")["definition"].startswith("alertmanager_config: |")


def test_without_an_authority_there_is_no_role() -> None:
    """A role that no trust anchor narrows down does not exist, nor alarms about it; buckets and keys do."""
    assert kinds(register(described(), certificate=None)) == PLAIN


def test_every_resource_hangs_below_the_fleet_and_uses_its_provider(everything: Registered) -> None:
    """No child stands at the top of the stack, and none falls back to the provider of the environment."""
    for (typ, name), request in everything.items():
        if typ != COMPONENT:
            assert COMPONENT in request.parent, (typ, name)
        if typ.startswith("aws:"):
            assert "::aws::" in request.provider, (typ, name)


def test_what_holds_data_is_protected_and_outlives_the_stack(everything: Registered) -> None:
    """Buckets, the keys that open them and the workspace's samples, and nothing else, are protected and retained."""
    buckets = {("aws:s3/bucket:Bucket", purpose) for purpose in PURPOSES}
    keys = {("aws:kms/key:Key", name) for name in ("data", "watch")}
    holds_data = buckets | keys | {("aws:amp/workspace:Workspace", "workspace")}

    assert {key for key, request in everything.items() if request.protect} == holds_data
    assert {key for key, request in everything.items() if request.retainOnDelete} == holds_data
    assert not any(inputs(everything, "Bucket", purpose)["forceDestroy"] for purpose in PURPOSES)


def test_everything_is_tagged_through_the_provider() -> None:
    """Region and tags come from the description, in one place; the fleet's own two cannot be taken over."""
    fleet = described()
    tagged = fleet.cloud.model_copy(update={"tags": {"owner": "ocean", "fleet": "another"}})

    provider = inputs(register(fleet.model_copy(update={"cloud": tagged})), "pulumi:providers:aws", "aws")

    tags = {"project": "sparkfleet", "fleet": "demo", "owner": "ocean"}
    assert provider["region"] == "eu-west-1"
    assert json.loads(provider["defaultTags"]) == {"tags": tags}


@pytest.mark.parametrize("name", ["data", "watch"])
def test_a_key_is_rotated_and_stays_manageable(everything: Registered, name: str) -> None:
    """Rotation on, the longest deletion window, and the account's own IAM decides."""
    key = inputs(everything, "Key", name)

    assert (key["enableKeyRotation"], key["deletionWindowInDays"]) == (True, 30)
    assert key["policy"]["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def test_a_component_that_lost_a_protection_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks judge the account's real resources: sessions of two hours keep every request back."""
    monkeypatch.setattr(roles, "SESSION_S", 7200)
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)
    fleet = described()
    where = fleet.cloud.aws
    assert where

    @pulumi.runtime.test
    def program() -> None:
        Account(fleet, where, [], authority_pem=pulumi.Output.from_input(CERTIFICATE))

    with pytest.raises(pulumi.RunError, match="Role hosts: sessions may last 7200 s"):
        program()
    assert not [typ for typ, _ in recorder.registered if typ.startswith("aws:")]


def test_what_the_controllers_own_credentials_need_is_told() -> None:
    """The policy to attach lets the controller add and list audit records of this bucket, and nothing else."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)
    fleet, told = described(), list[str]()
    where = fleet.cloud.aws
    assert where

    @pulumi.runtime.test
    def program() -> Any:
        return Account(fleet, where, []).controller_policy.apply(told.append)

    program()

    rules = {statement["Sid"]: statement for statement in json.loads(told[0])["Statement"]}
    assert rules["AddRecords"]["Action"] == "s3:PutObject"
    assert rules["AddRecords"]["Resource"] == "arn:aws:s3:::oceanid-ml-audit/audit/*"
    assert set(rules) == {"AddRecords", "ListRecords"}


@pytest.mark.parametrize("content", ["", "-----BEGIN PRIVATE KEY-----\nMIIB\n", CERTIFICATE + "BEGIN PRIVATE KEY"])
def test_a_bundle_that_is_no_certificate_is_refused(tmp_path: Path, content: str) -> None:
    """A private key in place of a certificate would go to AWS and into the state: refused, and not quoted."""
    bundle = tmp_path / "wrong.pem"
    bundle.write_text(content)

    with pytest.raises(ConfigError, match=r"cloud\.aws\.trust_bundle") as raised:
        register(described(trust_bundle=str(bundle)))
    assert "MIIB" not in str(raised.value)


def test_a_bundle_of_ones_own_goes_before_the_fleets_authority(tmp_path: Path) -> None:
    """People with a PKI of their own name it, and nothing else is trusted."""
    bundle = tmp_path / "own.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\nOWN\n-----END CERTIFICATE-----\n")

    anchor = inputs(register(described(trust_bundle=str(bundle))), "TrustAnchor", "hosts")

    assert anchor["source"]["sourceData"] == {"x509CertificateData": bundle.read_text()}
