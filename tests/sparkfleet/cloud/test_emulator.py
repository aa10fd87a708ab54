"""The account's resources, made by boto3 in moto's server (emulated): property values are ones that the services take.

moto keeps to AWS's interfaces and to many of its rules, not to all: what it lacks stands in LACKS. It ignores the
conditions of bucket policies, which test_decisions_aws.py has decided by another engine.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lab import environments
from tests.programs import free_port
from tests.sparkfleet.cloud import emulated, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

START_DEADLINE_S = 60.0
LACKS = {
    "aws:s3/bucketLogging:BucketLogging": "stops at a target whose policy has a statement about everybody: ours on TLS",
    "aws:rolesanywhere/trustAnchor:TrustAnchor": "no such service",
    "aws:rolesanywhere/profile:Profile": "no such service",
    "aws:amp/alertManagerDefinition:AlertManagerDefinition": "the service has workspaces and rules only",
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": "the service has cost categories only",
    "aws:costexplorer/anomalySubscription:AnomalySubscription": "the service has cost categories only",
}
"""Types that moto 5.2.5 cannot make; their calls are held to boto3's description of the interface alone."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulated.Aws]:
    """Moto's server on a free port of loopback, with the recorded account as its own."""
    python, port = environments.python(environments.ensure("moto")), free_port()
    folder = tmp_path_factory.mktemp("moto")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "MOTO_ACCOUNT_ID": recorded.ACCOUNT},
            stdout=log,
            stderr=log,
        )
    try:
        session = boto3.Session("test", "test", region_name=recorded.REGION)
        account = emulated.Aws(session, f"http://127.0.0.1:{port}")
        _await(account, server, (folder / "log"))
        yield account
    finally:
        server.terminate()
        server.wait(timeout=10)


def _await(account: emulated.Aws, server: subprocess.Popen[bytes], log: Any) -> None:
    end = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            account.client("sts").get_caller_identity()
        except BotoCoreError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module")
def refused(aws: emulated.Aws) -> dict[str, str]:
    """Type and name of each resource that the emulator did not make → what it said."""
    theirs = aws.client("amp").create_workspace(alias="the one that pages")
    aws.given[recorded.AMP["workspace_id"]] = theirs["workspaceId"]
    found = {}
    for resource in recorded.everything().resources:
        asked = resource.asked
        told = {**asked.properties, **_beside(asked.type, asked.name)}
        try:
            aws.make(asked.type, told)
        except ClientError as error:
            found[f"{asked.type} {asked.name}"] = str(error)
    return found


def _beside(typ: str, name: str) -> dict[str, str]:
    """What the interface wants to know and a resource does not say."""
    if typ == "aws:kms/key:Key":
        return {"recordedArn": recorded.ARNS[typ].format(name=name)}
    return {"account": recorded.ACCOUNT} if typ == "aws:budgets/budget:Budget" else {}


def test_every_resource_is_made_but_what_the_emulator_lacks(refused: dict[str, str]) -> None:
    """Nothing else is refused, and what is said to be lacking is."""
    types = {name.split()[0] for name in refused}

    assert {name: said for name, said in refused.items() if name.split()[0] not in LACKS} == {}
    assert types == set(LACKS)


@pytest.mark.usefixtures("refused")
def test_what_was_made_reads_as_it_was_asked_for(aws: emulated.Aws) -> None:
    """Locks, encryption, the boundary, who is told: as the services say it themselves."""
    s3, iam = aws.client("s3"), aws.client("iam")
    data = {name: aws.given[recorded.ARNS["aws:kms/key:Key"].format(name=name)] for name in ("data", "watch")}

    def retention(name: str) -> Any:
        found = s3.get_object_lock_configuration(Bucket=f"demo-ml-{name}")["ObjectLockConfiguration"]
        rule = found["Rule"]["DefaultRetention"]
        return rule["Mode"], rule["Days"]

    def key(name: str) -> Any:
        [rule] = s3.get_bucket_encryption(Bucket=f"demo-ml-{name}")["ServerSideEncryptionConfiguration"]["Rules"]
        return rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")

    ceiling = iam.get_role(RoleName="demo-hosts")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
    arn = recorded.ARNS["aws:sns/topic:Topic"].format(name="demo-alarms")
    topic = aws.client("sns").get_topic_attributes(TopicArn=arn)
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]

    assert (retention("audit"), retention("models")) == (("COMPLIANCE", 365), ("GOVERNANCE", 30))
    assert [key(name) for name in ("datasets", "models", "artifacts", "audit")] == [data["data"]] * 3 + [None]
    assert ceiling == recorded.ARNS["aws:iam/policy:Policy"].format(name="demo-boundary")
    assert topic["Attributes"]["KmsMasterKeyId"] == data["watch"]
    assert {alarm["TreatMissingData"] for alarm in alarms} == {"breaching", "notBreaching"}
    assert all(alarm["AlarmActions"] for alarm in alarms)
