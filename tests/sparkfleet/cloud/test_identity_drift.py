"""What somebody did to an identity on a real store → named, put back, or left alone with what to do next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sparkfleet.cloud import access_keys, objectstore, onprem
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.cloud.objectstore import Connection
    from sparkfleet.model import Fleet

HOST = "spark-01"
PREFIX = "hosts/spark-01/"


def _edit_policy(provisioned: Any, user: str) -> None:
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    provisioned.iam().put_user_policy(UserName=user, PolicyName="host-access", PolicyDocument=json.dumps(wide))


def _add_policy(provisioned: Any, user: str) -> None:
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    provisioned.iam().put_user_policy(UserName=user, PolicyName="stray", PolicyDocument=json.dumps(wide))


def _delete_key(provisioned: Any, user: str) -> None:
    provisioned.iam().delete_access_key(UserName=user, AccessKeyId=provisioned.outputs[HOST]["access_key_id"])


def _stop_key(provisioned: Any, user: str) -> None:
    provisioned.iam().update_access_key(
        UserName=user, AccessKeyId=provisioned.outputs[HOST]["access_key_id"], Status="Inactive"
    )


def _add_key(provisioned: Any, user: str) -> None:
    provisioned.iam().create_access_key(UserName=user)


def _lose_file(provisioned: Any, _user: str) -> None:
    provisioned.fleet.controller.store_key(HOST).unlink()


DRIFTS: dict[str, list[Callable[[Any, str], None]]] = {
    "policies": [_edit_policy, _add_policy],
    "key": [_delete_key, _stop_key, _add_key, _lose_file],
}


@pytest.mark.parametrize(("named", "drift"), [(named, drift) for named, drifts in DRIFTS.items() for drift in drifts])
def test_what_was_changed_by_hand_is_named_and_put_back(
    provisioned: Any,
    inputs_of_identity: Callable[..., Any],
    given_to_host: Callable[..., Any],
    named: str,
    drift: Callable[[Any, str], None],
) -> None:
    """read() differs in exactly the input that was changed behind our back, and the next update mends it."""
    provider, wanted = onprem.IdentityProvider(), inputs_of_identity(provisioned.fleet, HOST)
    drift(provisioned, wanted["user"])

    seen = provider.read(wanted["user"], dict(provisioned.outputs[HOST]))
    assert {key for key in onprem.IDENTITY_INPUTS if seen.inputs[key] != wanted[key]} == {named}
    assert provider.diff(wanted["user"], seen.outs, wanted).changes

    outputs = provider.update(wanted["user"], seen.outs, wanted).outs
    given_to_host(outputs)
    assert provisioned.keys() == [outputs["access_key_id"]]
    mended = wanted | {"held": outputs["access_key_id"]}
    assert provider.read(wanted["user"], dict(outputs)).inputs == mended
    assert provisioned.works()


def test_a_lost_key_is_remade_under_another_id(provisioned: Any, inputs_of_identity: Callable[..., Any]) -> None:
    """A key that was deleted in the store is made anew, and its id, which the host's settings carry, is another."""
    wanted = inputs_of_identity(provisioned.fleet, HOST)
    olds = provisioned.outputs[HOST]
    _delete_key(provisioned, wanted["user"])
    outputs = onprem.IdentityProvider().update(wanted["user"], olds, wanted).outs
    assert outputs["access_key_id"] != olds["access_key_id"]


def test_a_file_with_a_wrong_secret_is_not_taken_for_a_working_key(
    provisioned: Any, inputs_of_identity: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept key is proven too: with a damaged secret in the file the next run makes a new key."""
    monkeypatch.setattr(access_keys, "PROOF_DEADLINE_S", 0.0)
    path = provisioned.fleet.controller.store_key(HOST)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"SecretAccessKey": "damaged"}))

    outputs = onprem.IdentityProvider().create(inputs_of_identity(provisioned.fleet, HOST)).outs

    assert outputs["access_key_id"] != provisioned.outputs[HOST]["access_key_id"]
    assert provisioned.works()


def test_a_deleted_identity_is_revoked_and_leaves_the_state(provisioned: Any) -> None:
    """delete() ends the key at once and removes the kept secret; a second delete and a read find nothing to do."""
    provider, outputs, client = onprem.IdentityProvider(), provisioned.outputs[HOST], provisioned.client(HOST)

    provider.delete(outputs["user"], outputs)
    provider.delete(outputs["user"], outputs)

    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client.list_objects_v2(Bucket=provisioned.datasets, Prefix=PREFIX)
    assert not provisioned.fleet.controller.store_key(HOST).exists()
    assert provider.read(outputs["user"], dict(outputs)).id == ""
    assert provisioned.works("spark-02")


def test_after_a_renamed_fleet_the_successors_key_stays(provisioned: Any) -> None:
    """Deleting the identity of the old name leaves a file in which the new name's key already lies."""
    path, outputs = provisioned.fleet.controller.store_key(HOST), provisioned.outputs[HOST]
    successor = json.dumps(json.loads(path.read_text()) | {"User": "renamed-spark-01"})
    path.write_text(successor)

    onprem.IdentityProvider().delete(outputs["user"], outputs)

    assert path.read_text() == successor


@pytest.mark.parametrize("path", ["/", "/sparkfleet/another/"], ids=["somebody's", "another fleet's"])
def test_a_user_of_another_origin_is_not_touched(
    fleet: Fleet, connection: Connection, inputs_of_identity: Callable[..., Any], path: str
) -> None:
    """A user of that name that somebody else made keeps its keys, and the message says what to do."""
    iam, inputs = objectstore.iam(connection, objectstore.administrator(connection)), inputs_of_identity(fleet, HOST)
    iam.create_user(UserName=inputs["user"], Path=path)
    iam.create_access_key(UserName=inputs["user"])

    with pytest.raises(
        StoreError, match=rf"did not make \(its path is {path}, not /sparkfleet/{fleet.fleet}/"
    ) as raised:
        onprem.IdentityProvider().create(inputs)

    assert raised.value.next_step
    assert len(iam.list_access_keys(UserName=inputs["user"])["AccessKeyMetadata"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iam_endpoint": "http://127.0.0.1:9"}, "gave no answer"),
        ({"admin": "env:SPARKFLEET_TEST_WRONG_ADMIN"}, "SignatureDoesNotMatch"),
        ({"admin": "env:SPARKFLEET_TEST_NO_JSON"}, "holds no administrator key"),
    ],
)
def test_refusals_say_what_to_do_and_quote_no_secret(
    *,
    fleet: Fleet,
    server: Any,
    inputs_of_identity: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    message: str,
) -> None:
    """A store that is away, a wrong administrator key and a text that is no key end in a StoreError that helps."""
    real = json.loads(Path(server.admin.removeprefix("file:")).read_text())
    monkeypatch.setenv("SPARKFLEET_TEST_WRONG_ADMIN", json.dumps(real | {"secret_access_key": "not-the-secret"}))
    monkeypatch.setenv("SPARKFLEET_TEST_NO_JSON", "not-the-secret")
    monkeypatch.setattr(objectstore.PATIENCE, "retries", {"max_attempts": 0})

    with pytest.raises(StoreError, match=message) as raised:
        onprem.IdentityProvider().create(inputs_of_identity(fleet, HOST) | change)

    assert raised.value.next_step
    assert "not-the-secret" not in str(raised.value)
    assert raised.value.__cause__ is None
