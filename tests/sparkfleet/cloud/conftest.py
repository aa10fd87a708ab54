"""A real object store (versitygw: S3 and IAM, policies enforced) on loopback → fleets that live in it."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.toolchain.build import ensure
from sparkfleet import audit
from sparkfleet.cloud import contents, objectstore, only_key, onprem
from sparkfleet.cloud.objectstore import Connection, Key
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_DEADLINE_S = 15.0


@dataclass(frozen=True)
class Server:
    """A running store and its administrator's key file."""

    endpoint: str
    iam_endpoint: str
    admin: str
    secret: str


@pytest.fixture(scope="session")
def engine() -> str:
    """What goes before PATH so that `pulumi` works: its Python is this one, then the CLI and its language host."""
    tools = ensure(["pulumi", "pulumi-language-python"])
    return os.pathsep.join(str(folder) for folder in [Path(sys.executable).parent, *(t.parent for t in tools.values())])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run versitygw's IAM server and its S3 gateway on free loopback ports, with versioning possible."""
    program = ensure(["versitygw"])["versitygw"]
    folder = tmp_path_factory.mktemp("store")
    for name in ("iam", "data", "versions"):
        (folder / name).mkdir()
    key = Key(f"admin-{secrets.token_hex(4)}", secrets.token_urlsafe(24))
    admin = folder / "admin.json"
    admin.write_text(json.dumps({"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}))
    iam_port, s3_port = _free_port(), _free_port()
    private = folder / "private.sock"
    processes = [
        _start(program, key, folder, iam_port, ["iam", "--dir", str(folder / "iam"), "--private-ports", str(private)]),
    ]
    try:
        _await_port(iam_port)
        posix = ["posix", "--versioning-dir", str(folder / "versions"), str(folder / "data")]
        processes.append(_start(program, key, folder, s3_port, ["--iam-standalone-endpoint", str(private), *posix]))
        _await_port(s3_port)
        yield Server(
            f"http://127.0.0.1:{s3_port}", f"http://127.0.0.1:{iam_port}", f"file:{admin}", key.secret_access_key
        )
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
def connection(server: Server) -> Connection:
    """Where the store is and who administers it."""
    return Connection(server.endpoint, "us-east-1", server.admin, server.iam_endpoint)


_numbers = itertools.count(1)


@pytest.fixture
def fleet(server: Server, tmp_path: Path) -> Fleet:
    """A fleet of two hosts with a name of its own, so that tests share one store without meeting."""
    return describe(server, tmp_path, f"fleet{next(_numbers)}")


@pytest.fixture(scope="session")
def describe_fleet() -> Callable[..., Fleet]:
    """The function that describes a fleet in the running store."""
    return describe


def describe(server: Server, folder: Path, name: str, **cloud: Any) -> Fleet:
    """A fleet `name` of spark-01 and spark-02 whose store is `server` and whose controller lives in `folder`."""
    return Fleet.model_validate(
        {
            "fleet": name,
            "controller": {"folder": str(folder / "controller")},
            "hosts": {"spark-01": {"addresses": ["192.0.2.1"]}, "spark-02": {"addresses": ["192.0.2.2"]}},
            "cloud": {
                "provider": "onprem",
                "onprem": {"endpoint": server.endpoint, "iam_endpoint": server.iam_endpoint, "admin": server.admin},
                **cloud,
            },
        }
    )


@dataclass(frozen=True)
class Provisioned:
    """A fleet whose buckets and identities exist, as the providers made them."""

    fleet: Fleet
    connection: Connection
    outputs: dict[str, dict[str, Any]]
    datasets: str
    models: str

    def client(self, host: str) -> Any:
        """An S3 client with the real credentials of `host`, read from the controller's file."""
        fields = json.loads(self.fleet.controller.store_key(host).read_text())
        return objectstore.s3(self.connection, Key(fields["AccessKeyId"], fields["SecretAccessKey"]))

    def keys(self, host: str = "spark-01") -> list[str]:
        """The ids of the keys that the store lists for the host."""
        found = self.iam().list_access_keys(UserName=f"{self.fleet.fleet}-{host}")["AccessKeyMetadata"]
        return [key["AccessKeyId"] for key in found]

    def works(self, host: str = "spark-01") -> bool:
        """Whether the host's key lists its prefix, in which nothing lies."""
        return bool(self.client(host).list_objects_v2(Bucket=self.datasets, Prefix=f"hosts/{host}/")["KeyCount"] == 0)

    def admin(self) -> Any:
        """An S3 client of the administrator."""
        return objectstore.s3(self.connection, objectstore.administrator(self.connection))

    def iam(self) -> Any:
        """An IAM client of the administrator."""
        return objectstore.iam(self.connection, objectstore.administrator(self.connection))


@pytest.fixture
def provisioned(fleet: Fleet, connection: Connection) -> Provisioned:
    """Make the fleet's buckets and identities by calling the providers as Pulumi's provider process does."""
    outputs: dict[str, Any] = {}
    for purpose in ("datasets", "models"):
        outputs[purpose] = onprem.BucketProvider().create(bucket_inputs(fleet, purpose)).outs
    for host in fleet.hosts:
        outputs[host] = onprem.IdentityProvider().create(identity_inputs(fleet, host)).outs
    return Provisioned(fleet, connection, outputs, fleet.bucket("datasets"), fleet.bucket("models"))


@pytest.fixture
def audited(provisioned: Provisioned, monkeypatch: pytest.MonkeyPatch) -> Provisioned:
    """A provisioned fleet whose audit bucket and controller's key exist, too."""
    monkeypatch.setattr(audit, "_silent_until", 0.0)
    fleet = provisioned.fleet
    onprem.BucketProvider().create(bucket_inputs(fleet, "audit"))
    onprem.IdentityProvider().create(told(fleet, contents.controller_identity(fleet)))
    return provisioned


def bucket_inputs(fleet: Fleet, purpose: str) -> dict[str, Any]:
    """What Pulumi would hand to BucketProvider."""
    return {**contents.buckets(fleet, tls=False)[purpose], **onprem.where_of(fleet.cloud.onprem)}


def identity_inputs(fleet: Fleet, host: str) -> dict[str, Any]:
    """What Pulumi would hand to IdentityProvider for a host."""
    return told(fleet, contents.host_identity(fleet, host))


def told(fleet: Fleet, wanted: dict[str, Any]) -> dict[str, Any]:
    """An identity's description as Pulumi hands it over: its numbers are floats."""
    numbers = {"generation": float(wanted["generation"])}
    where = {**onprem.where_of(fleet.cloud.onprem), "iam_endpoint": fleet.cloud.onprem.iam_endpoint}
    return {**wanted, **numbers, "key": onprem.ACTIVE, **where}


@pytest.fixture(scope="session")
def inputs_of_identity() -> Callable[[Fleet, str], dict[str, Any]]:
    """The function that says what Pulumi would hand to IdentityProvider."""
    return identity_inputs


@pytest.fixture(scope="session")
def told_identity() -> Callable[[Fleet, dict[str, Any]], dict[str, Any]]:
    """The function that says what Pulumi would hand to IdentityProvider for a description of `contents`."""
    return told


@pytest.fixture(scope="session")
def given_to_host() -> Callable[[dict[str, Any]], object]:
    """The function that does what Pulumi does with an identity once the host's resource is as described."""
    return lambda outputs: only_key.OnlyKeyProvider().create(outputs | {"key_id": outputs["access_key_id"]})


@pytest.fixture(scope="session")
def inputs_of_bucket() -> Callable[[Fleet, str], dict[str, Any]]:
    """The function that says what Pulumi would hand to BucketProvider for a purpose."""
    return bucket_inputs


def _start(program: Path, key: Key, folder: Path, port: int, arguments: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "ROOT_ACCESS_KEY": key.access_key_id, "ROOT_SECRET_KEY": key.secret_access_key}
    with (folder / f"{port}.log").open("wb") as log:
        return subprocess.Popen(
            [program, "--port", f"127.0.0.1:{port}", *arguments], env=environment, stdout=log, stderr=log
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    end = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
