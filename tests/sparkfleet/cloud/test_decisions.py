"""The table of decisions, decided by a store that enforces its policies: real keys, real requests, every row."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from sparkfleet.cloud import contents, objectstore, onprem
from sparkfleet.cloud.objectstore import Connection, Key
from sparkfleet.fitness.keeping import Keep
from sparkfleet.fitness.label import Label
from tests.sparkfleet.cloud.decisions import DECISIONS, Caller, Decision, Verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparkfleet.model import Fleet

REFUSALS = {"AccessDenied", "InvalidAccessKeyId"}
BODY = b"as it was"


@dataclass(frozen=True)
class Decider:
    """A fleet in the store, and a client for every caller of the table."""

    fleet: Fleet
    clients: dict[Caller, Any]
    iam: Any

    def allows(self, row: Decision) -> bool:
        """Make the request of one row; any answer that is neither a success nor a refusal fails the test."""
        client, bucket = self.clients[row.caller], self.fleet.bucket(row.purpose)
        try:
            match row.verb:
                case Verb.GET:
                    assert client.get_object(Bucket=bucket, Key=f"{row.prefix}a")["Body"].read() == BODY
                case Verb.PUT:
                    client.put_object(Bucket=bucket, Key=f"{row.prefix}put-by-{row.caller}", Body=b"x")
                case Verb.LIST:
                    assert client.list_objects_v2(Bucket=bucket, Prefix=row.prefix)["KeyCount"]
                case Verb.DELETE:
                    client.delete_object(Bucket=bucket, Key=f"{row.prefix}b")
        except ClientError as error:
            if objectstore.code(error) not in REFUSALS:
                raise
            return False
        return True

    def wrong(self) -> list[str]:
        """The rows that are not decided as the table has them."""
        return [str(row) for row in DECISIONS if self.allows(row) != row.allowed]


@pytest.fixture
def decider(
    fleet: Fleet, connection: Connection, told_identity: Callable[..., Any], inputs_of_bucket: Callable[..., Any]
) -> Decider:
    """Hosts, controller and Calypso as the providers make them; an object to read and one to delete everywhere."""
    hosts = fleet.hosts | {"spark-02": fleet.hosts["spark-02"].model_copy(update={"roles": ["node", "label"]})}
    cloud = fleet.cloud.model_copy(update={"calypso": True})
    label = Label(keep=Keep(heirs={"spark-02": "spark-01"}))
    fleet = fleet.model_copy(update={"hosts": hosts, "cloud": cloud, "label": label})
    admin = objectstore.s3(connection, objectstore.administrator(connection))
    for purpose in contents.PURPOSES:
        onprem.BucketProvider().create(inputs_of_bucket(fleet, purpose))
    admin.create_bucket(Bucket=fleet.bucket("state"))
    for bucket, key in {(fleet.bucket(row.purpose), f"{row.prefix}{name}") for row in DECISIONS for name in "ab"}:
        admin.put_object(Bucket=bucket, Key=key, Body=BODY)
    clients: dict[Caller, Any] = {Caller.UNKNOWN: objectstore.s3(connection, Key("A" * 20, secrets.token_hex(20)))}
    unsigned = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"})
    clients[Caller.ANONYMOUS] = boto3.client(
        "s3", endpoint_url=connection.endpoint, region_name=connection.region, config=unsigned
    )
    identities = [contents.controller_identity(fleet), contents.calypso_identity(fleet)]
    for wanted in [*identities, *(contents.host_identity(fleet, host) for host in fleet.hosts)]:
        onprem.IdentityProvider().create(told_identity(fleet, wanted))
        caller = Caller(wanted["user"].removeprefix(f"{fleet.fleet}-"))
        held = json.loads(fleet.controller.store_key(caller).read_text())
        clients[caller] = objectstore.s3(connection, Key(held["AccessKeyId"], held["SecretAccessKey"]))
    return Decider(fleet, clients, objectstore.iam(connection, objectstore.administrator(connection)))


def test_every_row_is_decided_as_the_table_has_it(decider: Decider) -> None:
    """Six callers, four verbs, eleven places: what may be done is done, everything else is refused."""
    assert decider.wrong() == []


def test_a_wider_policy_shows_as_the_rows_that_it_opens(decider: Decider) -> None:
    """The table can fail: with spark-02's policy spark-01 reaches that host's objects and loses its own."""
    fleet = decider.fleet
    [(name, document)] = contents.host_identity(fleet, "spark-02")["policies"].items()
    decider.iam.put_user_policy(UserName=f"{fleet.fleet}-spark-01", PolicyName=name, PolicyDocument=document)

    wrong = decider.wrong()

    assert {row.rpartition("-")[0] for row in wrong if row.endswith("-other")} == {
        f"spark-01-{verb.name.lower()}" for verb in Verb
    }
    assert {row for row in wrong if not row.startswith("spark-01-")} == set()


def test_triton_starts_with_calypsos_key(decider: Decider) -> None:
    """It asks for the bucket, lists below its prefix and asks for objects that are not there: 404, not a refusal."""
    client, bucket = decider.clients[Caller.CALYPSO], decider.fleet.bucket("models")

    assert client.head_bucket(Bucket=bucket)
    assert client.list_objects_v2(Bucket=bucket, Prefix="calypso/")["KeyCount"]
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=bucket, Key="calypso/ner/config.pbtxt")


def test_calypsos_key_is_kept_for_people_to_carry(decider: Decider) -> None:
    """In a file of its own, for nobody else to read; no host gets it."""
    file: Path = decider.fleet.controller.store_key("calypso")

    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["User"] == f"{decider.fleet.fleet}-calypso"
