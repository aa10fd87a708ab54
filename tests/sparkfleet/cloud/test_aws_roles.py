"""The roles without keys of the AWS account, mocked: who gets them, what they may do, and their ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.model import Fleet, Role
from tests.sparkfleet.cloud.account import AMP, described, inputs, register, statements
from tests.sparkfleet.cloud.recorded import ACCOUNT, CERTIFICATE

if TYPE_CHECKING:
    from tests.sparkfleet.recorder import Registered

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

ANCHOR = f"arn:aws:rolesanywhere:eu-central-1:{ACCOUNT}:trust-anchor/demo-hosts"
NAME = "aws:PrincipalTag/x509Subject/CN"


def with_calypso(fleet: Fleet) -> Fleet:
    """The same fleet, with an identity for Calypso."""
    return fleet.model_copy(update={"cloud": fleet.cloud.model_copy(update={"calypso": True})})


def with_roles(fleet: Fleet, host: str, *roles: Role) -> Fleet:
    """The same fleet, with these roles on one host."""
    changed = fleet.hosts[host].model_copy(update={"roles": list(roles)})
    return fleet.model_copy(update={"hosts": {**fleet.hosts, host: changed}})


@pytest.fixture(scope="module")
def registered() -> Registered:
    """What is registered for a fleet with Calypso."""
    return register(with_calypso(described()))


def actions(document: dict[str, Any]) -> set[str]:
    """Every action that a document names."""
    named = [statement["Action"] for statement in document["Statement"]]
    return {action for each in named for action in ([each] if isinstance(each, str) else each)}


@pytest.mark.parametrize(("role", "names"), [("hosts", ["spark-01", "spark-02"]), ("calypso", "calypso")])
def test_a_role_is_reached_by_its_holders_certificates_alone(
    registered: Registered, role: str, names: list[str] | str
) -> None:
    """Trust is narrowed by the anchor and by the certificates' names, and a session lasts an hour at most."""
    made = inputs(registered, "Role", role)
    [statement] = made["assumeRolePolicy"]["Statement"]
    profile = inputs(registered, "Profile", role)

    assert statement["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": ANCHOR}, "StringEquals": {NAME: names}}
    assert (made["maxSessionDuration"], profile["durationSeconds"]) == (3600, 3600)
    assert profile["roleArns"] == [f"arn:aws:iam::{ACCOUNT}:role/demo-{role}"]


def test_the_anchor_is_the_fleets_authority(registered: Registered) -> None:
    """Whoever has a certificate of that authority may ask; which role it gets, the role says."""
    assert inputs(registered, "TrustAnchor", "hosts")["source"] == {
        "sourceType": "CERTIFICATE_BUNDLE",
        "sourceData": {"x509CertificateData": CERTIFICATE},
    }


def test_the_hosts_policy_names_the_real_buckets_and_key(registered: Registered) -> None:
    """One document serves all hosts: its prefix is the certificate's common name, its key use is bound to S3."""
    rules = statements(inputs(registered, "Policy", "hosts")["policy"])

    own = "hosts/${aws:PrincipalTag/x509Subject/CN}/*"
    assert rules["OwnPrefix"]["Resource"] == f"arn:aws:s3:::oceanid-ml-datasets/{own}"
    assert rules["LeaveRuns"]["Resource"] == f"arn:aws:s3:::oceanid-ml-artifacts/{own}"
    assert rules["ListModels"]["Resource"] == "arn:aws:s3:::oceanid-ml-models"
    assert rules["UseDataKeyThroughS3"]["Resource"].endswith(":key/data")
    assert rules["UseDataKeyThroughS3"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}
    }


def test_models_are_written_by_certificates_of_hosts_with_the_label_loop() -> None:
    """The one document for all hosts names those that may, by their certificates."""
    fleet = with_roles(described(), "spark-02", Role.NODE, Role.LABEL)
    rule = statements(inputs(register(fleet), "Policy", "hosts")["policy"])["PromoteModels"]

    assert rule["Resource"] == "arn:aws:s3:::oceanid-ml-models/calypso/*"
    assert rule["Condition"] == {"StringEquals": {NAME: "spark-02"}}


def test_samples_are_written_by_certificates_of_monitors_into_known_workspaces() -> None:
    """The workspace made here and the one described, in its own region; a host that is no monitor writes nowhere."""
    described_one = f"arn:aws:aps:eu-central-1:{ACCOUNT}:workspace/{AMP['workspace_id']}"
    fleet = described({"monitoring": {"amp": AMP}})
    registered = register(with_roles(fleet, "spark-01", Role.MONITOR))
    rule = statements(inputs(registered, "Policy", "hosts")["policy"])["WriteSamples"]

    assert (rule["Action"], rule["Resource"]) == ("aps:RemoteWrite", described_one)
    assert rule["Condition"] == {"StringEquals": {NAME: "spark-01"}}
    assert "WriteSamples" not in statements(inputs(register(fleet), "Policy", "hosts")["policy"])


def test_calypso_reads_what_it_serves_and_can_do_nothing_else(registered: Registered) -> None:
    """Objects and names below the models' prefix, and the key for reading them."""
    document = inputs(registered, "Policy", "calypso")["policy"]
    rules = statements(document)

    assert rules["ReadServed"]["Resource"] == "arn:aws:s3:::oceanid-ml-models/calypso/*"
    assert actions(document) == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}


@pytest.mark.parametrize("role", ["hosts", "calypso"])
def test_no_policy_of_a_role_says_more_than_the_ceiling(role: str) -> None:
    """Each action stands in the boundary, which every role has; the boundary names no bucket but the fleet's three."""
    fleet = with_roles(with_calypso(described({"monitoring": {"amp": AMP}}, workspace=True)), "spark-01", Role.MONITOR)
    registered = register(with_roles(fleet, "spark-02", Role.NODE, Role.LABEL))
    ceiling = inputs(registered, "Policy", "boundary")["policy"]
    buckets = [f"arn:aws:s3:::oceanid-ml-{purpose}" for purpose in ("artifacts", "datasets", "models")]

    assert inputs(registered, "Role", role)["permissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/demo-boundary"
    assert actions(inputs(registered, "Policy", role)["policy"]) <= actions(ceiling)
    assert statements(ceiling)["ListBuckets"]["Resource"] == buckets
    assert statements(ceiling)["ObjectsOfTheFleet"]["Resource"] == [f"{arn}/*" for arn in buckets]
    assert not any("*" in action or "Bypass" in action or "Version" in action for action in actions(ceiling))
