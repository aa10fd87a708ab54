"""An identity's life on a real store: made, rotated, killed half-way, drifted, revoked."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from sparkfleet import secrets
from sparkfleet.cloud import access_keys, objectstore, onprem
from sparkfleet.cloud.access_keys import Held
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.cloud.objectstore import Connection
    from sparkfleet.model import Fleet

HOST = "spark-01"
PREFIX = "hosts/spark-01/"


class KilledError(BaseException):
    """Stands for kill -9: no handler of the code under test may catch it."""


def test_the_new_key_is_kept_in_a_file_that_only_we_read_and_nowhere_else(provisioned: Any) -> None:
    """The secret is in the controller's file (0600 in 0700), and no output of any resource contains it."""
    path = provisioned.fleet.controller.store_key(HOST)
    held = json.loads(path.read_text())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert held["AccessKeyId"] == provisioned.outputs[HOST]["access_key_id"]
    assert held["SecretAccessKey"] not in json.dumps(provisioned.outputs)


def test_a_host_that_lags_two_generations_behind_keeps_its_key(
    provisioned: Any, inputs_of_identity: Callable[..., Any]
) -> None:
    """With two keys, one of them the host's, no third is made: the run says whom to reach first."""
    provider, wanted = onprem.IdentityProvider(), inputs_of_identity(provisioned.fleet, HOST)
    provider.create(wanted | {"generation": 2.0})
    before = provisioned.keys()
    with pytest.raises(StoreError, match="not given the new one"):
        provider.create(wanted | {"generation": 3.0})
    assert provisioned.keys() == before


def test_the_key_of_a_rotation_under_way_is_left_alone(
    provisioned: Any, inputs_of_identity: Callable[..., Any]
) -> None:
    """An up in the middle of `spark rotate s3` ends neither the waiting key nor the one in use."""
    user, file = f"{provisioned.fleet.fleet}-{HOST}", provisioned.fleet.controller.store_key(HOST)
    waiting = access_keys.make(provisioned.iam(), user)
    access_keys.keep(access_keys.pending(file), Held(user, 1, waiting))
    before = provisioned.keys()
    onprem.IdentityProvider().create(inputs_of_identity(provisioned.fleet, HOST))
    assert provisioned.keys() == before
    assert len(before) == 2


def test_a_raised_generation_replaces_the_key(
    provisioned: Any, inputs_of_identity: Callable[..., Any], given_to_host: Callable[..., Any]
) -> None:
    """The old key lives on for the host that has it; once the host was given the new one, it is refused."""
    before = provisioned.client(HOST)
    olds = provisioned.outputs[HOST]
    news = inputs_of_identity(provisioned.fleet, HOST) | {"generation": 2.0}
    assert onprem.IdentityProvider().diff(HOST, olds, news).changes

    outputs = onprem.IdentityProvider().update(HOST, olds, news).outs

    assert before.list_objects_v2(Bucket=provisioned.datasets, Prefix=PREFIX)["KeyCount"] == 0
    assert set(provisioned.keys()) == {olds["access_key_id"], outputs["access_key_id"]}
    given_to_host(outputs)
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        before.list_objects_v2(Bucket=provisioned.datasets, Prefix=PREFIX)
    assert provisioned.works()
    assert provisioned.keys() == [outputs["access_key_id"]] != [olds["access_key_id"]]
    assert not onprem.IdentityProvider().diff(HOST, outputs, news | {"held": outputs["access_key_id"]}).changes


def test_converging_twice_keeps_the_key(provisioned: Any, inputs_of_identity: Callable[..., Any]) -> None:
    """A second create with the same description changes nothing: the same key goes on."""
    again = onprem.IdentityProvider().create(inputs_of_identity(provisioned.fleet, HOST)).outs

    assert again == provisioned.outputs[HOST]


@pytest.mark.parametrize("rotating", [False, True], ids=["first", "rotation"])
def test_killed_after_any_step_the_next_run_converges(
    *,
    fleet: Fleet,
    connection: Connection,
    inputs_of_identity: Callable[..., Any],
    inputs_of_bucket: Callable[..., Any],
    given_to_host: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    rotating: bool,
) -> None:
    """Killed after any of its requests or writes, a run leaves a working key, and the next run ends in one key."""
    onprem.BucketProvider().create(inputs_of_bucket(fleet, "datasets"))
    inputs = inputs_of_identity(fleet, HOST)
    provider = onprem.IdentityProvider()
    iam = objectstore.iam(connection, objectstore.administrator(connection))
    make_request = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # its stubs show no insides
    write = secrets.write

    killed_after = 0
    finished = False
    while not finished:
        killed_after += 1
        if rotating:
            provider.create(inputs | {"generation": float(killed_after)})
        inputs = inputs | {"generation": float(killed_after + 1)}
        kill = _after(killed_after)
        with monkeypatch.context() as patch:
            patch.setattr(botocore.client.BaseClient, "_make_api_call", kill(make_request))
            patch.setattr(secrets, "write", kill(write))
            try:
                provider.create(inputs)
            except KilledError:
                if rotating:
                    assert _kept_key_works(connection, fleet), f"locked out when killed after step {killed_after}"
            else:
                finished = True

        outputs = provider.create(inputs).outs
        given_to_host(outputs)

        listed = iam.list_access_keys(UserName=inputs["user"])["AccessKeyMetadata"]
        assert [key["AccessKeyId"] for key in listed] == [outputs["access_key_id"]]
        assert _kept_key_works(connection, fleet)
        if not rotating and not finished:
            provider.delete(inputs["user"], outputs)

    steps = killed_after - 1
    assert steps >= 7, "user, policy, keys, new key, proof, file, old key: at least so many steps must have been tried"


def _after(steps: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wrap functions so that the process is as good as dead once they have returned `steps` times together."""
    done = 0

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            result = function(*args, **kwargs)
            done += 1
            if done == steps:
                raise KilledError
            return result

        return call

    return wrap


def _kept_key_works(connection: Connection, fleet: Fleet) -> bool:
    held = access_keys.read_held(fleet.controller.store_key(HOST), f"{fleet.fleet}-{HOST}")
    if held is None:
        return False
    objectstore.s3(connection, held.key).list_objects_v2(Bucket=f"{fleet.fleet}-datasets", Prefix=PREFIX)
    return True


def test_an_unprovable_key_is_taken_back_and_the_old_one_stays(
    provisioned: Any, inputs_of_identity: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the new key does not open the prefix, the rotation fails with a StoreError and the old key stays."""
    monkeypatch.setattr(access_keys, "PROOF_DEADLINE_S", 0.0)
    elsewhere = {"proof_prefix": "hosts/spark-02/", "generation": 2.0}

    with pytest.raises(StoreError, match="does not work"):
        onprem.IdentityProvider().update(
            HOST, provisioned.outputs[HOST], inputs_of_identity(provisioned.fleet, HOST) | elsewhere
        )

    assert provisioned.works()
    assert provisioned.keys() == [provisioned.outputs[HOST]["access_key_id"]]
