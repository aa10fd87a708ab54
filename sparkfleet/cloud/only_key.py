"""A host that was given its object-store key → no other key of its user works any more, as a Pulumi resource.

`Identity` makes keys and leaves the one before alive, because the host still has it; this comes after the host.
State: the import path of `OnlyKeyProvider` is written into it, so this name is for good.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from sparkfleet.cloud.onprem import WHERE, Identity, compared, connection_of, only, where_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.clouds import Onprem

INPUTS = ("user", "key_id", "secret_file", *WHERE, "iam_endpoint")


class OnlyKeyProvider(ResourceProvider):
    """Ends what keys a user has beside the one that its host holds by now."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """End the others."""
        return CreateResult(str(props["user"]), self._converge(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare every input."""
        return compared(olds, news, INPUTS, replaces="user")

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """End the others, now that the host was given another key."""
        return UpdateResult(self._converge(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Say which key the user has, "" for none or several, so that `up` ends what is too many."""
        from sparkfleet.cloud import identities

        found = identities.only_key(connection_of(props), str(props["user"]))
        actual = only(props, INPUTS) | {"key_id": found}
        return ReadResult(id_, dict(actual), inputs=actual)

    @staticmethod
    def _converge(props: Mapping[str, Any]) -> dict[str, Any]:
        from sparkfleet.cloud import identities

        secret_file = Path(str(props["secret_file"]))
        identities.end_others(connection_of(props), str(props["user"]), str(props["key_id"]), secret_file)
        return only(props, INPUTS)


class OnlyKey(pulumi.dynamic.Resource, module="sparkfleet", name="OnlyKey"):
    """That a host's user has no key but the one that the host was given; registered to follow the host."""

    def __init__(self, name: str, identity: Identity, where: Onprem, opts: ResourceOptions) -> None:
        """Describe the one key of `identity`."""
        held = {"user": identity.user, "key_id": identity.access_key_id, "secret_file": identity.secret_file}
        props = {**held, **where_of(where)}
        super().__init__(OnlyKeyProvider(), name, props | {"iam_endpoint": where.iam_endpoint}, opts)
