"""A bucket and an identity of an S3-compatible store with an IAM-style API, as Pulumi resources.

Two dynamic resources and their providers, which translate between Pulumi's property maps and `buckets`/`identities`,
where the work is done. Which there are is said by `contents`, and `store` registers them.

State: the import paths of `BucketProvider` and `IdentityProvider` are written into it (they are pickled by reference),
so these names are for good. Inputs and outputs hold references to secrets, never a secret.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.cloud.identities import Wanted
    from sparkfleet.cloud.objectstore import Connection
    from sparkfleet.clouds import Onprem

# buckets and identities load boto3 (half a second): only the provider process does that, and only when it works.

ACTIVE = "active"
WHERE = ("endpoint", "region", "admin")
BUCKET_INPUTS = ("bucket", "versioning", "policy", "retention", "tags", *WHERE)
UNTIL_NOW: Mapping[str, Any] = {"retention": "", "tags": {}}
"""Inputs of a bucket that states of earlier versions lack, as they were then."""

IDENTITY_INPUTS = (
    "user",
    "path",
    "policies",
    "generation",
    "key",
    "secret_file",
    "proof_bucket",
    "proof_prefix",
    "on_host",
    *WHERE,
    "iam_endpoint",
)
IDENTITY_UNTIL_NOW: Mapping[str, Any] = {"path": "/sparkfleet/"}
"""The same for an identity."""


class BucketProvider(ResourceProvider):
    """Brings one bucket to its described state. A bucket that holds anything is never deleted."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the bucket, or take over the one that an interrupted run made."""
        return CreateResult(str(props["bucket"]), self._converge(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare every input; another name is another bucket."""
        return compared({**UNTIL_NOW, **olds}, news, BUCKET_INPUTS, replaces="bucket")

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the bucket to the new description."""
        return UpdateResult(self._converge(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say what the bucket is really like; a bucket that is gone leaves the state, so that `up` makes it again."""
        from sparkfleet.cloud import buckets

        found = buckets.observe_bucket(connection_of(props), str(props["bucket"]))
        if found is None:
            return ReadResult("", {})
        actual = only({**UNTIL_NOW, **props}, BUCKET_INPUTS) | asdict(found)
        return ReadResult(id_, dict(actual), inputs=actual)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Delete the bucket if it is empty; otherwise leave it and say so."""
        from sparkfleet.cloud import buckets

        name = str(props["bucket"])
        if not buckets.remove_empty_bucket(connection_of(props), name):
            # Pulumi shows what a dynamic provider prints.
            print(
                f"bucket {name} holds data and was kept, no longer managed: `pulumi up` takes it over again, "
                "docs/guides/store.md says how to remove it on purpose",
                flush=True,
            )

    @staticmethod
    def _converge(props: Mapping[str, Any]) -> dict[str, Any]:
        from sparkfleet.cloud import buckets

        parts = {key: str(props[key]) for key in ("versioning", "policy", "retention")}
        wanted = buckets.BucketState(**parts, tags=dict(props["tags"]))
        buckets.ensure_bucket(connection_of(props), str(props["bucket"]), wanted)
        return only(props, BUCKET_INPUTS)


class IdentityProvider(ResourceProvider):
    """Keeps one user, its policy and its one access key; the key's secret goes to `secret_file` alone."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the identity, or finish what an interrupted run began."""
        return CreateResult(str(props["user"]), self._converge(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare every input; another user is another identity, another generation is a new key.

        A key that `spark rotate s3` made is news, too: what is said of it has to reach the host's settings.
        """
        found = compared({**IDENTITY_UNTIL_NOW, **olds}, news, IDENTITY_INPUTS, replaces="user")
        rotated = news["held"] not in {"", olds.get("access_key_id")}
        return DiffResult(changes=found.changes or rotated, replaces=found.replaces)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Set the policy, and make a new key where the generation or a lost key asks for one."""
        return UpdateResult(self._converge(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say which policies the user really has and what became of its key."""
        from sparkfleet.cloud import identities

        found = identities.observe_identity(connection_of(props), _wanted(props))
        if found is None:
            return ReadResult("", {})
        actual = only({**IDENTITY_UNTIL_NOW, **props}, IDENTITY_INPUTS) | {
            "policies": dict(found.policies),
            "key": found.key,
        }
        key_id = found.access_key_id
        return ReadResult(id_, actual | {"access_key_id": key_id}, inputs=actual | {"held": key_id})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Revoke: the keys, the policies, the user and the kept secret go."""
        from sparkfleet.cloud import identities

        identities.remove_identity(connection_of(props), str(props["user"]), Path(str(props["secret_file"])))

    @staticmethod
    def _converge(props: Mapping[str, Any]) -> dict[str, Any]:
        from sparkfleet.cloud import identities

        access_key_id = identities.ensure_identity(connection_of(props), _wanted(props))
        return only(props, IDENTITY_INPUTS) | {"access_key_id": access_key_id}


class Bucket(pulumi.dynamic.Resource, module="sparkfleet", name="Bucket"):
    """A bucket as `wanted` describes it: the keys of buckets.BucketState, and its name as `bucket`."""

    bucket: pulumi.Output[str]

    def __init__(self, name: str, wanted: Mapping[str, Any], where: Onprem, opts: ResourceOptions) -> None:
        """Describe one bucket of the store at `where`; with a retention it is made with object lock."""
        super().__init__(BucketProvider(), name, {**wanted, **where_of(where)}, opts)


class Identity(pulumi.dynamic.Resource, module="sparkfleet", name="Identity"):
    """A user of the store for one host, or for the controller, with one access key.

    Raising `generation` makes a new key, proven to work. A host is given it from `secret_file` (on the controller) by
    its next apply, and `OnlyKey` ends the old one after that.
    """

    user: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    generation: pulumi.Output[int]
    secret_file: pulumi.Output[str]

    def __init__(self, name: str, wanted: Mapping[str, Any], where: Onprem, opts: ResourceOptions) -> None:
        """Describe the identity `wanted` (the keys of IDENTITY_INPUTS) of the store at `where`."""
        props = {
            **IDENTITY_UNTIL_NOW,
            **wanted,
            "key": ACTIVE,
            **where_of(where),
            "iam_endpoint": where.iam_endpoint,
            "access_key_id": None,
        }
        super().__init__(IdentityProvider(), name, props, opts)


def compared(
    olds: Mapping[str, Any], news: Mapping[str, Any], keys: tuple[str, ...], *, replaces: str = ""
) -> DiffResult:
    """What of the inputs changed, and whether that makes another resource of it."""
    changed = [key for key in keys if olds.get(key) != news.get(key)]
    return DiffResult(changes=bool(changed), replaces=[key for key in changed if key == replaces])


def only(props: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The part of the properties that is this resource's own."""
    return {key: props[key] for key in keys}


def where_of(store: Onprem) -> dict[str, str]:
    """Where the store is, as properties."""
    return {key: str(getattr(store, key)) for key in WHERE}


def connection_of(props: Mapping[str, Any]) -> Connection:
    """The store that the properties name."""
    from sparkfleet.cloud import objectstore

    where = {key: str(props[key]) for key in WHERE}
    return objectstore.Connection(**where, iam_endpoint=str(props.get("iam_endpoint", "")))


def _wanted(props: Mapping[str, Any]) -> Wanted:
    from sparkfleet.cloud import identities

    return identities.Wanted(
        user=str(props["user"]),
        policies={str(name): str(text) for name, text in props["policies"].items()},
        generation=int(props["generation"]),  # Pulumi's numbers are floats
        secret_file=Path(str(props["secret_file"])),
        bucket=str(props["proof_bucket"]),
        prefix=str(props["proof_prefix"]),
        on_host=bool(props["on_host"]),
        path=str({**IDENTITY_UNTIL_NOW, **props}["path"]),
    )
