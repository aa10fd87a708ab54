"""A fleet's state in a real store on the premises: made, moved into, locked, damaged and brought back (real Pulumi)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from botocore.exceptions import ClientError

from sparkfleet.cloud import objectstore
from sparkfleet.cloud.objectstore import Connection, Key
from tests.sparkfleet.cloud.projects import RUN_DEADLINE_S, UP, Project, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

pytestmark = pytest.mark.drill

CHECKOUT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, time
from pathlib import Path
import pulumi
from sparkfleet.cloud.provide import provide
from sparkfleet.model import Fleet

provide(Fleet.model_validate_json(os.environ["FLEET"]), [])
pulumi.export("round", os.environ.get("ROUND", ""))
if wait := os.environ.get("WAIT"):
    Path(wait).touch()
    time.sleep(600)
"""


@dataclass
class Home:
    """A fleet, the stack that makes the place for its state, and a project whose state shall lie there."""

    fleet: Fleet
    connection: Connection
    bootstrap: Project
    project: Project

    @property
    def bucket(self) -> str:
        """Where the state lies."""
        return f"{self.fleet.fleet}-state"

    def admin(self) -> Any:
        """The store's administrator."""
        return objectstore.s3(self.connection, objectstore.administrator(self.connection))

    def key(self) -> Key:
        """The key of the identity that keeps the state."""
        held = json.loads(self.fleet.controller.store_key("state").read_text())
        return Key(held["AccessKeyId"], held["SecretAccessKey"])

    def keeper(self) -> Any:
        """The store as that identity sees it."""
        return objectstore.s3(self.connection, self.key())

    def checkpoint(self) -> str:
        """The name of the object that is the project's state."""
        found = self.keeper().list_objects_v2(Bucket=self.bucket, Prefix=".pulumi/stacks/")["Contents"]
        [name] = [each["Key"] for each in found if each["Key"].endswith("office.json")]
        return str(name)

    def log_in(self) -> None:
        """Do what the guide says: the profile into the AWS configuration, then `pulumi login` to what was told."""
        told = self.bootstrap.told()
        config = self.project.folder / "aws-config"
        config.write_text(told["profile"])
        self.project.environment |= {"AWS_CONFIG_FILE": str(config), "PULUMI_BACKEND_URL": told["backend"]}


@pytest.fixture
def home(fleet: Fleet, connection: Connection, tmp_path: Path, engine: str) -> Home:
    """The bucket for the state is made by the real bootstrap program; nothing lies in it yet."""
    where = {
        name: environment(engine, tmp_path / "home", tmp_path / f"{name}-state") | {"FLEET": fleet.model_dump_json()}
        for name in ("bootstrap", "project")
    }
    shutil.copytree(CHECKOUT / "bootstrap", tmp_path / "bootstrap", ignore=shutil.ignore_patterns("Pulumi.*.yaml"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    description = {
        f"sparkfleet:{key}": value for key, value in fleet.model_dump(mode="json", exclude_unset=True).items()
    }
    (tmp_path / "Pulumi.office.yaml").write_text(yaml.safe_dump({"config": description}))
    bootstrap = Project(tmp_path / "bootstrap", where["bootstrap"])
    bootstrap.pulumi("stack", "init", "office")
    bootstrap.pulumi(*UP)
    project = Project.written(tmp_path / "project", PROGRAM, where["project"])
    return Home(fleet, connection, bootstrap, project)


def refused(request: Callable[[], Any]) -> str:
    """The store's word for its refusal."""
    with pytest.raises(ClientError) as raised:
        request()
    return objectstore.code(raised.value)


def test_the_bucket_is_made_once_and_nothing_takes_it_away(home: Home) -> None:
    """A second `up` changes nothing, `destroy` is refused; history is on, and even its keeper cannot delete it."""
    home.bootstrap.pulumi(*UP, "--expect-no-changes")
    assert "protect" in home.bootstrap.pulumi("destroy", "--yes", "--skip-preview", succeeds=False)

    admin, keeper, where = home.admin(), home.keeper(), {"Bucket": home.bucket, "Key": ".pulumi/x"}
    assert admin.get_bucket_versioning(Bucket=home.bucket)["Status"] == "Enabled"
    version = keeper.put_object(**where, Body=b"first")["VersionId"]
    keeper.delete_object(**where)
    assert refused(lambda: keeper.delete_object(**where, VersionId=version)) == "AccessDenied"
    assert admin.get_object(**where, VersionId=version)["Body"].read() == b"first"


def test_a_lost_bootstrap_takes_bucket_and_key_over(home: Home, tmp_path: Path) -> None:
    """Its own state gone, it makes nothing anew: the key that people use stays, and what the bucket holds."""
    home.keeper().put_object(Bucket=home.bucket, Key=".pulumi/x", Body=b"kept")
    before = home.key()
    shutil.rmtree(tmp_path / "bootstrap-state")
    (tmp_path / "bootstrap-state").mkdir()

    home.bootstrap.pulumi("stack", "init", "office")
    home.bootstrap.pulumi(*UP)

    assert home.key() == before
    assert home.keeper().get_object(Bucket=home.bucket, Key=".pulumi/x")["Body"].read() == b"kept"


def test_a_raised_generation_is_a_new_key_and_ends_the_old_one(home: Home, tmp_path: Path) -> None:
    """The new key opens the state, the old one is no key any more, and the address to log in to is the same."""
    old, address = home.key(), home.bootstrap.told()["backend"]
    file = tmp_path / "Pulumi.office.yaml"
    description = yaml.safe_load(file.read_text())
    description["config"]["sparkfleet:cloud"]["generations"] = {"state": 2}
    file.write_text(yaml.safe_dump(description))

    home.bootstrap.pulumi(*UP)

    assert home.key() != old
    home.keeper().list_objects_v2(Bucket=home.bucket)
    former = objectstore.s3(home.connection, old)
    assert refused(lambda: former.list_objects_v2(Bucket=home.bucket)) == "InvalidAccessKeyId"
    assert home.bootstrap.told()["backend"] == address


def test_the_key_opens_the_state_and_nothing_else(home: Home) -> None:
    """Its file is for its owner alone; no secret is in what Pulumi printed, told or wrote."""
    file = home.fleet.controller.store_key("state")
    assert file.stat().st_mode & 0o777 == 0o600
    home.admin().create_bucket(Bucket=f"{home.fleet.fleet}-other")

    keeper = home.keeper()
    assert refused(lambda: keeper.list_objects_v2(Bucket=f"{home.fleet.fleet}-other")) == "AccessDenied"
    assert refused(lambda: keeper.put_object(Bucket=home.bucket, Key="elsewhere", Body=b"")) == "AccessDenied"
    assert refused(lambda: keeper.delete_bucket_policy(Bucket=home.bucket)) == "AccessDenied"

    written = [path for path in home.bootstrap.folder.parent.rglob("*") if path.is_file() and path != file]
    everything = "".join(path.read_text(errors="replace") for path in written) + json.dumps(home.bootstrap.told())
    assert home.key().access_key_id in everything, "the key's id must be found, or this search finds nothing at all"
    assert home.key().secret_access_key not in everything


def test_a_stack_moves_into_the_bucket_and_finds_everything_as_it_was(home: Home, tmp_path: Path) -> None:
    """Export, log in, import: `up` changes nothing, and the state lies in the bucket."""
    project = home.project
    project.pulumi("stack", "init", "office")
    project.pulumi(*UP)
    project.pulumi("stack", "export", "--file", str(tmp_path / "moved.json"))

    home.log_in()
    project.pulumi("stack", "init", "office")
    project.pulumi("stack", "import", "--file", str(tmp_path / "moved.json"))
    project.pulumi(*UP, "--expect-no-changes")

    assert (
        home.fleet.fleet in home.keeper().get_object(Bucket=home.bucket, Key=home.checkpoint())["Body"].read().decode()
    )


def test_one_run_at_a_time_and_a_killed_one_is_cancelled(home: Home, tmp_path: Path) -> None:
    """The second of two runs is refused and told by whom; after kill -9 the lock stays until `pulumi cancel`."""
    home.log_in()
    project = home.project
    project.pulumi("stack", "init", "office")
    started = tmp_path / "started"
    first = subprocess.Popen(
        ["pulumi", *UP, "--non-interactive"],
        cwd=project.folder,
        env=project.environment | {"WAIT": str(started)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + RUN_DEADLINE_S
    while not started.exists():
        assert time.monotonic() < end
        assert first.poll() is None
        time.sleep(0.1)
    try:
        assert f"pid {first.pid}" in project.pulumi(*UP, succeeds=False)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()

    assert "pulumi cancel" in project.pulumi(*UP, succeeds=False)
    project.pulumi("cancel", "--yes")
    project.pulumi(*UP)
    project.pulumi(*UP, "--expect-no-changes")


def test_a_damaged_state_is_brought_back_from_its_history(home: Home) -> None:
    """What was written over is there still: the last good version, put on top, makes `up` find nothing to do."""
    home.log_in()
    project = home.project
    project.pulumi("stack", "init", "office")
    project.pulumi(*UP)
    keeper, admin, where = home.keeper(), home.admin(), {"Bucket": home.bucket, "Key": home.checkpoint()}
    good = keeper.head_object(**where)["VersionId"]
    keeper.put_object(**where, Body=b'{"version": 3, "checkpo')
    project.pulumi(*UP, succeeds=False)

    admin.copy_object(**where, CopySource={**where, "VersionId": good})
    project.pulumi(*UP, "--expect-no-changes")


def test_a_host_cannot_read_the_state(home: Home) -> None:
    """With the real key of a host of the same fleet: not one verb."""
    home.log_in()
    home.project.pulumi("stack", "init", "office")
    home.project.pulumi(*UP)
    held = json.loads(home.fleet.controller.store_key("spark-01").read_text())
    host = objectstore.s3(home.connection, Key(held["AccessKeyId"], held["SecretAccessKey"]))
    where = {"Bucket": home.bucket, "Key": home.checkpoint()}

    assert refused(lambda: host.get_object(**where)) == "AccessDenied"
    assert refused(lambda: host.put_object(**where, Body=b"")) == "AccessDenied"
    assert refused(lambda: host.delete_object(**where)) == "AccessDenied"
    assert refused(lambda: host.list_objects_v2(Bucket=home.bucket)) == "AccessDenied"
