"""__main__.py as Pulumi runs it, with the engine mocked → exactly the resources that are registered, and in what order.

Mocked: no engine and no account stand behind these tests; the real engine is met in tests/e2e.
"""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from google.protobuf import json_format
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from sparkfleet import config
from tests.sparkfleet.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

PROJECT = Path(__file__).resolve().parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61 sparkfleet"
HOST = "pulumi-python:dynamic/spark:Host"
AWS: dict[str, Any] = {"provider": "aws", "aws": {"region": "eu-west-1", "bucket_prefix": "example-ml"}}
ONPREM = {
    "provider": "onprem",
    "onprem": {"endpoint": "http://s:1", "iam_endpoint": "http://s:2", "admin": "env:SPARKFLEET_TEST_ADMIN"},
}


class Answers(Mocks):
    """Give every resource an id and back what it was given."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """An id made of the name."""
        return f"{args.name}-id", {**args.inputs, "arn": f"arn:aws:x:::{args.name}"}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Who is calling; nothing else may be asked."""
        assert args.token == "aws:index/getCallerIdentity:getCallerIdentity"
        return {"accountId": "111122223333", "arn": "arn:aws:sts::111122223333:x", "userId": "x", "id": "x"}, []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    """Run the program for two hosts; what it registered."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/automation.pub").write_text(KEY)

    def with_settings(**settings: Any) -> Recorder:
        described = {
            "fleet": "office",
            "controller": {"folder": str(tmp_path)},
            "hosts": {
                "spark-01": {"addresses": ["192.0.2.1"], "roles": ["exporter", "monitor"]},
                "spark-02": {"addresses": ["192.0.2.2"], "port": 2222},
            },
            **settings,
        }
        texts = {f"{config.NAMESPACE}:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in described.items()}
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps(texts))
        monkeypatch.setenv("PULUMI_CONTINUE_ON_ERROR", "true")
        recorder = Recorder(Answers())
        pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet", stack="test", monitor=recorder)

        @pulumi.runtime.test
        def program() -> None:
            runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")

        program()
        return recorder

    return with_settings


def inputs(recorder: Recorder, name: str) -> dict[str, Any]:
    """The inputs of a host's registration."""
    found: dict[str, Any] = json_format.MessageToDict(recorder.registered[HOST, name].object)
    return found


def test_without_a_cloud_there_are_the_hosts_alone(run: Callable[..., Recorder]) -> None:
    """One resource a host, named as the host, waiting for nothing."""
    recorder = run()

    assert set(recorder.registered) == {(HOST, "spark-01"), (HOST, "spark-02")}
    assert all(not request.dependencies for request in recorder.registered.values())


def test_on_the_premises_there_are_buckets_identities_and_hosts(run: Callable[..., Recorder]) -> None:
    """Names, four buckets, one identity a host and one of the controller, one host each, its old keys ended."""
    recorder = run(cloud=ONPREM)
    kinds = sorted((kind.rpartition(":")[2], name) for kind, name in recorder.registered if "dynamic" in kind)

    assert kinds == [
        ("Bucket", "office-artifacts"),
        ("Bucket", "office-audit"),
        ("Bucket", "office-datasets"),
        ("Bucket", "office-models"),
        ("Host", "spark-01"),
        ("Host", "spark-02"),
        ("Identity", "controller"),
        ("Identity", "spark-01"),
        ("Identity", "spark-02"),
        ("Names", "names"),
        ("OnlyKey", "spark-01"),
        ("OnlyKey", "spark-02"),
    ]


@pytest.mark.parametrize("name", ["spark-01", "spark-02"])
def test_a_host_waits_for_its_own_identity(name: str, run: Callable[..., Recorder]) -> None:
    """Its key must exist before it can be shipped; the other host's identity is none of its business."""
    waits_for = run(cloud=ONPREM).registered[HOST, name].dependencies

    assert [urn.rpartition("::")[2] for urn in waits_for if "Identity" in urn] == [name]


def test_on_aws_hosts_are_registered_beside_real_resources(run: Callable[..., Recorder]) -> None:
    """The same two hosts; everything of the cloud is of the aws provider or a component of ours."""
    recorder = run(cloud=AWS)
    kinds = {kind for kind, _ in recorder.registered}

    assert {name for kind, name in recorder.registered if kind == HOST} == {"spark-01", "spark-02"}
    assert {kind for kind in kinds if not kind.startswith(("aws:", "sparkfleet:", "pulumi:providers:"))} == {HOST}
    assert "aws:s3/bucket:Bucket" in kinds


def test_on_aws_a_host_is_told_the_names_that_the_account_gives(run: Callable[..., Recorder], tmp_path: Path) -> None:
    """Trust anchor, profile and role as outputs: the file's digest and its text, for the provider to note."""
    (tmp_path / "authority.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    told = inputs(
        run(cloud={**AWS, "aws": {**AWS["aws"], "trust_bundle": str(tmp_path / "authority.pem")}}), "spark-02"
    )

    text = json.loads(told["session"])
    assert text.keys() == {"region", "trust_anchor_arn", "profile_arn", "role_arn"}
    assert text["trust_anchor_arn"] == "arn:aws:x:::hosts"
    digest = hashlib.sha256(told["session"].encode()).hexdigest()[:16]
    assert told["settings"]["file:/etc/sparkfleet/identity/roles-anywhere.json"] == f"{digest} 0644 root:root"


def test_a_host_says_where_it_is_and_every_setting_by_name(run: Callable[..., Recorder]) -> None:
    """So that a preview names each setting; what is outside the diff stands beside the map."""
    told = inputs(run(), "spark-02")

    assert (told["addresses"], told["port"], told["user"]) == (["192.0.2.2"], 2222, "sparkfleet")
    assert told["settings"]["link:/etc/localtime"] == "/usr/share/zoneinfo/Etc/UTC"
    assert set(told) == {"host", "addresses", "port", "user", "sysfs", "settings", "reset", "__provider"} | (
        {"machine_id"} & set(told)
    )


def test_no_secret_is_registered(run: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the administrator's reference leads to is in no input of any resource."""
    monkeypatch.setenv(
        "SPARKFLEET_TEST_ADMIN", '{"access_key_id": "do-not-show-id", "secret_access_key": "do-not-show"}'
    )

    recorder = run(cloud=ONPREM)

    assert "do-not-show" not in "".join(json_format.MessageToJson(r) for r in recorder.registered.values())


def test_a_faulty_description_is_told_without_a_traceback(run: Callable[..., Recorder]) -> None:
    """Pulumi shows a RunError's words alone: all faults, and nothing was registered."""
    with pytest.raises(pulumi.RunError) as caught:
        run(base={"timezon": "UTC"}, exporter={"port": 1})

    assert "2 faults in the stack's configuration; nothing was touched:" in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_controller_without_its_key_is_told_without_a_traceback(run: Callable[..., Recorder], tmp_path: Path) -> None:
    """Before the first adoption `pulumi preview` says what to run."""
    (tmp_path / "keys/automation.pub").unlink()

    with pytest.raises(pulumi.RunError, match="spark adopt spark-01"):
        run()
