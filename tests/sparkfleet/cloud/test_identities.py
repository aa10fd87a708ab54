"""An identity's life on a real store: made, rotated, killed half-way, drifted, revoked."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet import secrets
from sparkfleet.cloud import access_keys, objectstore, only_key, onprem
from sparkfleet.cloud.access_keys import Held, Listed
from sparkfleet.cloud.identities import plan_keys
from sparkfleet.cloud.objectstore import Connection, Key
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

HOST = "spark-01"
PREFIX = "hosts/spark-01/"


class KilledError(BaseException):
    """Stands for kill -9: no handler of the code under test may catch it."""


def _keys(provisioned: Any, host: str = HOST) -> list[str]:
    user = f"{provisioned.fleet.fleet}-{host}"
    return [key["AccessKeyId"] for key in provisioned.iam().list_access_keys(UserName=user)["AccessKeyMetadata"]]


def _works(provisioned: Any, host: str = HOST) -> bool:
    return (
        provisioned.client(host).list_objects_v2(Bucket=provisioned.datasets, Prefix=f"hosts/{host}/")["KeyCount"] == 0
    )


def test_the_new_key_is_kept_in_a_file_that_only_we_read_and_nowhere_else(provisioned: Any) -> None:
    """The secret is in the controller's file (0600 in 0700), and no output of any resource contains it."""
    path = provisioned.fleet.controller.store_key(HOST)
    held = json.loads(path.read_text())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert held["AccessKeyId"] == provisioned.outputs[HOST]["access_key_id"]
    assert held["SecretAccessKey"] not in json.dumps(provisioned.outputs)


def _given(outputs: dict[str, Any]) -> None:
    """What Pulumi does once the host's resource is as described."""
    only_key.OnlyKeyProvider().create(outputs | {"key_id": outputs["access_key_id"]})


def test_a_host_that_lags_two_generations_behind_keeps_its_key(
    provisioned: Any, inputs_of_identity: Callable[..., Any]
) -> None:
    """With two keys, one of them the host's, no third is made: the run says whom to reach first."""
    provider, wanted = onprem.IdentityProvider(), inputs_of_identity(provisioned.fleet, HOST)
    provider.create(wanted | {"generation": 2.0})
    before = _keys(provisioned)
    with pytest.raises(StoreError, match="not given the new one"):
        provider.create(wanted | {"generation": 3.0})
    assert _keys(provisioned) == before


def test_the_key_of_a_rotation_under_way_is_left_alone(
    provisioned: Any, inputs_of_identity: Callable[..., Any]
) -> None:
    """An up in the middle of `spark rotate s3` ends neither the waiting key nor the one in use."""
    user, file = f"{provisioned.fleet.fleet}-{HOST}", provisioned.fleet.controller.store_key(HOST)
    waiting = access_keys.make(provisioned.iam(), user)
    access_keys.keep(access_keys.pending(file), Held(user, 1, waiting))
    before = _keys(provisioned)
    onprem.IdentityProvider().create(inputs_of_identity(provisioned.fleet, HOST))
    assert _keys(provisioned) == before
    assert len(before) == 2


def test_a_raised_generation_replaces_the_key(provisioned: Any, inputs_of_identity: Callable[..., Any]) -> None:
    """The old key lives on for the host that has it; once the host was given the new one, it is refused."""
    before = provisioned.client(HOST)
    olds = provisioned.outputs[HOST]
    news = inputs_of_identity(provisioned.fleet, HOST) | {"generation": 2.0}
    assert onprem.IdentityProvider().diff(HOST, olds, news).changes

    outputs = onprem.IdentityProvider().update(HOST, olds, news).outs

    assert before.list_objects_v2(Bucket=provisioned.datasets, Prefix=PREFIX)["KeyCount"] == 0
    assert set(_keys(provisioned)) == {olds["access_key_id"], outputs["access_key_id"]}
    _given(outputs)
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        before.list_objects_v2(Bucket=provisioned.datasets, Prefix=PREFIX)
    assert _works(provisioned)
    assert _keys(provisioned) == [outputs["access_key_id"]] != [olds["access_key_id"]]
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
        _given(outputs)

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

    assert _works(provisioned)
    assert _keys(provisioned) == [provisioned.outputs[HOST]["access_key_id"]]


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
    provisioned: Any, inputs_of_identity: Callable[..., Any], named: str, drift: Callable[[Any, str], None]
) -> None:
    """read() differs in exactly the input that was changed behind our back, and the next update mends it."""
    provider, wanted = onprem.IdentityProvider(), inputs_of_identity(provisioned.fleet, HOST)
    drift(provisioned, wanted["user"])

    seen = provider.read(wanted["user"], dict(provisioned.outputs[HOST]))
    assert {key for key in onprem.IDENTITY_INPUTS if seen.inputs[key] != wanted[key]} == {named}
    assert provider.diff(wanted["user"], seen.outs, wanted).changes

    outputs = provider.update(wanted["user"], seen.outs, wanted).outs
    _given(outputs)
    assert _keys(provisioned) == [outputs["access_key_id"]]
    mended = wanted | {"held": outputs["access_key_id"]}
    assert provider.read(wanted["user"], dict(outputs)).inputs == mended
    assert _works(provisioned)


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
    assert _works(provisioned)


def test_a_deleted_identity_is_revoked_and_leaves_the_state(provisioned: Any) -> None:
    """delete() ends the key at once and removes the kept secret; a second delete and a read find nothing to do."""
    provider, outputs, client = onprem.IdentityProvider(), provisioned.outputs[HOST], provisioned.client(HOST)

    provider.delete(outputs["user"], outputs)
    provider.delete(outputs["user"], outputs)

    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client.list_objects_v2(Bucket=provisioned.datasets, Prefix=PREFIX)
    assert not provisioned.fleet.controller.store_key(HOST).exists()
    assert provider.read(outputs["user"], dict(outputs)).id == ""
    assert _works(provisioned, "spark-02")


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


LISTED = st.lists(
    st.builds(Listed, access_key_id=st.sampled_from(["a", "b", "c"]), active=st.booleans()),
    max_size=2,
    unique_by=lambda key: key.access_key_id,
)
HELD = st.none() | st.builds(
    Held,
    user=st.just("u"),
    generation=st.integers(1, 3),
    key=st.builds(Key, access_key_id=st.sampled_from(["a", "b", "c"]), secret_access_key=st.just("s")),
)


SPARED = st.sets(st.sampled_from(["a", "b", "c"]), max_size=2)


@given(listed=LISTED, held=HELD, generation=st.integers(1, 3), on_host=st.booleans(), spared=SPARED)
def test_every_key_plan_leaves_room_and_never_a_gap(
    *, listed: list[Listed], held: Held | None, generation: int, on_host: bool, spared: set[str]
) -> None:
    """A plan never asks for a third key, and ends no working one that the controller, a host or a rotation may use."""
    plan = plan_keys(listed, held, generation, on_host=on_host, spared=spared)
    there = {key.access_key_id for key in listed}
    active = {key.access_key_id for key in listed if key.active}
    kept = {held.key.access_key_id} & active if held else set()
    ended = {*plan.delete_first, *plan.delete_last}

    assert ended <= there
    assert not (kept | spared & active) & set(plan.delete_first)
    assert not (plan.waits and ended)
    assert (plan.make or plan.waits) == (not kept or held is None or held.generation != generation)
    if not plan.waits:
        assert len(there - set(plan.delete_first)) + plan.make <= access_keys.QUOTA
    if on_host and plan.make:
        assert plan.stays in active or not active
        assert plan.stays not in ended
    if not on_host and not plan.waits and not spared & active:
        assert len(there - ended) + plan.make == 1


def test_a_key_in_memory_hides_its_secret() -> None:
    """The readable form of a key, which lands in tracebacks, names the key and not its secret."""
    assert "hidden" not in f"{Key('AKIA', 'hidden')!r} {Held('u', 1, Key('AKIA', 'hidden'))}"
