"""The on-premises store through the real Pulumi engine: preview, up, unchanged, drift, rotation, destroy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.cloud import access_keys, objectstore, policies
from sparkfleet.cloud.objectstore import Connection, Key
from tests.sparkfleet.cloud.projects import UP, Project, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparkfleet.model import Fleet

PROGRAM = """
import os
import pulumi
from sparkfleet.cloud.provide import provide
from sparkfleet.model import Fleet

cloud = provide(Fleet.model_validate_json(os.environ["FLEET"]), [])
for host, resource in cloud.identities.items():
    pulumi.export(host, resource.access_key_id)
    cloud.end_old_keys(host, resource)
for purpose, name in cloud.buckets.items():
    pulumi.export(purpose, name)
"""


@dataclass
class Stack(Project):
    """A project whose program reads the fleet."""

    fleet: Fleet

    def pulumi(self, *arguments: str, succeeds: bool = True, **environment: str) -> str:
        """Run one Pulumi command for the fleet as it is described now."""
        return super().pulumi(*arguments, succeeds=succeeds, FLEET=self.fleet.model_dump_json(), **environment)

    def on_disk(self) -> str:
        """All that Pulumi has written: state, history, backups, and what it keeps at home."""
        roots = (self.folder, Path(self.environment["PULUMI_HOME"]))
        files = [path for root in roots for path in root.rglob("*") if path.is_file()]
        return "".join(path.read_text(errors="replace") for path in files)


@pytest.fixture
def stack(fleet: Fleet, tmp_path: Path, engine: str) -> Iterator[Stack]:
    """A fresh stack with a file backend; its passphrase protects nothing, because no secret is in it."""
    folder = tmp_path / "project"
    project = Project.written(folder, PROGRAM, environment(engine, tmp_path / "home", folder / "state"))
    stack = Stack(project.folder, project.environment, fleet)
    stack.pulumi("stack", "init", "test")
    yield stack
    stack.pulumi("destroy", "--yes", "--skip-preview")


def _secrets(stack: Stack, server: Any) -> list[str]:
    held = [json.loads(stack.fleet.controller.store_key(host).read_text()) for host in stack.fleet.hosts]
    return [server.secret, *(key["SecretAccessKey"] for key in held)]


def test_a_fleet_lives_through_the_engine(
    stack: Stack, server: Any, connection: Connection, describe_fleet: Callable[..., Fleet], tmp_path: Path
) -> None:
    """Preview names everything, up makes it, again changes nothing, drift is named and mended, a key is rotated.

    No secret is in anything that Pulumi printed or wrote.
    """
    name = stack.fleet.fleet
    admin = objectstore.administrator(connection)
    printed = [stack.pulumi("preview", "--diff")]
    for expected in (f"{name}-datasets", f"{name}-models", f"{name}-spark-01", "hosts/spark-01/", "versioning"):
        assert expected in printed[0]

    printed.append(stack.pulumi(*UP))
    printed.append(stack.pulumi(*UP, "--expect-no-changes"))

    user = f"{name}-spark-01"
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    objectstore.iam(connection, admin).put_user_policy(
        UserName=user, PolicyName="stray", PolicyDocument=json.dumps(wide)
    )
    printed.append(stack.pulumi("refresh", "--yes", "--skip-preview", "--diff"))
    assert "stray" in printed[-1]
    printed.append(stack.pulumi(*UP))
    assert objectstore.iam(connection, admin).list_user_policies(UserName=user)["PolicyNames"] == ["host-access"]

    old = _secrets(stack, server)
    before = stack.told()
    stack.fleet = describe_fleet(server, tmp_path, name, generations={"spark-01": 2})
    printed.append(stack.pulumi("preview", "--diff"))
    assert "generation" in printed[-1]
    printed.append(stack.pulumi(*UP))
    after = stack.told()
    assert {key for key in after if after[key] != before[key]} == {"spark-01"}
    printed.append(stack.pulumi(*UP, "--expect-no-changes"))
    iam = objectstore.iam(connection, admin)
    assert [key.access_key_id for key in access_keys.listed(iam, user)] == [after["spark-01"]]

    everything = stack.on_disk() + "".join(printed)
    assert after["spark-01"] in everything, "the key's id must be found, or this search finds nothing at all"
    assert not [secret for secret in (*old, *_secrets(stack, server)) if secret in everything]


def test_tags_and_policies_change_in_place_and_drift_is_named(
    stack: Stack, server: Any, connection: Connection, describe_fleet: Callable[..., Fleet], tmp_path: Path
) -> None:
    """What the store cannot do is in the preview; a tag, a lock and an identity more change what they name alone.

    A policy that was made by hand shows in `refresh` and is put back by `up`.
    """
    name, s3 = stack.fleet.fleet, objectstore.s3(connection, objectstore.administrator(connection))
    stack.pulumi(*UP)
    s3.put_object(Bucket=f"{name}-models", Key="calypso/model", Body=b"kept")

    stack.fleet = describe_fleet(
        server, tmp_path, name, tags={"cost-centre": "4711"}, calypso=True, models_locked_days=7
    )
    preview = stack.pulumi("preview", "--diff")
    assert " to replace" not in preview
    for expected in ("this store (versitygw) does not do", "cost-centre", "GOVERNANCE 7 days", f"{name}-calypso"):
        assert expected in preview
    stack.pulumi(*UP)
    stack.pulumi(*UP, "--expect-no-changes")
    assert {"Key": "cost-centre", "Value": "4711"} in s3.get_bucket_tagging(Bucket=f"{name}-models")["TagSet"]
    assert s3.get_object(Bucket=f"{name}-models", Key="calypso/model")["Body"].read() == b"kept"

    opened = policies.tls_only(policies.bucket_arn(f"{name}-audit"))
    opened["Statement"][0] |= {"Sid": "MadeByHand", "Effect": "Allow"}
    s3.put_bucket_policy(Bucket=f"{name}-audit", Policy=json.dumps(opened))
    drift = stack.pulumi("refresh", "--yes", "--skip-preview", "--diff")
    assert "MadeByHand" in drift
    assert re.findall(r"\[id=(.*)\]", drift) == [f"{name}-audit"]
    stack.pulumi(*UP)
    assert "NobodyDeletes" in s3.get_bucket_policy(Bucket=f"{name}-audit")["Policy"]


def test_a_taken_name_stops_up_before_anything_is_made(stack: Stack, connection: Connection) -> None:
    """Somebody else's bucket is named and left alone; there is no other bucket and no user afterwards."""
    name, admin = stack.fleet.fleet, objectstore.administrator(connection)
    s3, iam = objectstore.s3(connection, admin), objectstore.iam(connection, admin)
    s3.create_bucket(Bucket=f"{name}-artifacts")
    s3.put_object(Bucket=f"{name}-artifacts", Key="theirs", Body=b"x")

    printed = stack.pulumi(*UP, succeeds=False)

    assert f"bucket names that are taken: {name}-artifacts; nothing was made" in printed
    assert [b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith(name)] == [f"{name}-artifacts"]
    assert [user for user in iam.list_users()["Users"] if user["UserName"].startswith(name)] == []


def test_a_key_that_was_replaced_outside_is_taken_over(stack: Stack, connection: Connection) -> None:
    """After `spark rotate s3` the next up records the new key's id, with and without a refresh, and makes none."""
    stack.pulumi(*UP)
    iam = objectstore.iam(connection, objectstore.administrator(connection))
    user, file = f"{stack.fleet.fleet}-spark-01", stack.fleet.controller.store_key("spark-01")
    for refresh in (False, True):
        old = access_keys.listed(iam, user)
        new = access_keys.make(iam, user)
        access_keys.keep(file, access_keys.Held(user, 1, new))
        access_keys.end(iam, user, old[0].access_key_id)
        if refresh:
            stack.pulumi("refresh", "--yes", "--skip-preview")
        stack.pulumi(*UP)
        assert stack.told()["spark-01"] == new.access_key_id
        assert [key.access_key_id for key in access_keys.listed(iam, user)] == [new.access_key_id]
        stack.pulumi(*UP, "--expect-no-changes")


def test_destroy_revokes_the_hosts_and_keeps_the_data(stack: Stack, connection: Connection) -> None:
    """After destroy the keys are dead, the bucket with an object is there and named, the empty one is gone.

    The next `up` takes the kept bucket over again.
    """
    stack.pulumi(*UP)
    s3 = objectstore.s3(connection, objectstore.administrator(connection))
    s3.put_object(Bucket=f"{stack.fleet.fleet}-datasets", Key="a", Body=b"kept")
    held = json.loads(stack.fleet.controller.store_key("spark-01").read_text())
    host = objectstore.s3(connection, Key(held["AccessKeyId"], held["SecretAccessKey"]))

    printed = stack.pulumi("destroy", "--yes", "--skip-preview")

    assert f"{stack.fleet.fleet}-datasets holds data and was kept" in printed
    assert "docs/guides/store.md says how to remove it on purpose" in printed
    assert s3.get_object(Bucket=f"{stack.fleet.fleet}-datasets", Key="a")["Body"].read() == b"kept"
    with pytest.raises(host.exceptions.ClientError, match="InvalidAccessKeyId"):
        host.list_objects_v2(Bucket=f"{stack.fleet.fleet}-datasets", Prefix="hosts/spark-01/")
    with pytest.raises(s3.exceptions.ClientError, match="404"):
        s3.head_bucket(Bucket=f"{stack.fleet.fleet}-models")

    stack.pulumi(*UP)
    assert s3.get_object(Bucket=f"{stack.fleet.fleet}-datasets", Key="a")["Body"].read() == b"kept"


def test_a_store_that_is_away_fails_and_loses_nothing(stack: Stack) -> None:
    """With the IAM endpoint away up fails with the next step, and the next up finds everything as it was."""
    stack.pulumi(*UP)
    reachable = stack.fleet
    away = reachable.cloud.onprem.model_copy(update={"iam_endpoint": "http://127.0.0.1:9"})
    stack.fleet = reachable.model_copy(update={"cloud": reachable.cloud.model_copy(update={"onprem": away})})

    printed = stack.pulumi(*UP, succeeds=False)
    assert "mend the endpoints under cloud.onprem" in printed

    stack.fleet = reachable
    stack.pulumi(*UP, "--expect-no-changes")


def test_without_a_cloud_no_cloud_library_is_loaded() -> None:
    """`provider: none` gives nothing and imports neither boto3 nor pulumi nor pulumi_aws."""
    program = """
import sys
from sparkfleet.cloud.provide import provide
from sparkfleet.model import Fleet
cloud = provide(Fleet.model_validate({"fleet": "bare", "hosts": {"h1": {"addresses": ["192.0.2.1"]}}}), [])
print(dict(cloud.identities), dict(cloud.buckets), sorted({"boto3", "pulumi", "pulumi_aws"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n")[0] == "{} {} []"
