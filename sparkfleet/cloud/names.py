"""The names of a fleet's buckets → that none of them is somebody else's, looked up before anything is made.

A store tells only when it is asked. State: the import path of `NamesProvider` is written into it, so this name is for
good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult

from sparkfleet.cloud.onprem import WHERE, compared, connection_of, only, where_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import ResourceOptions

    from sparkfleet.clouds import Onprem

INPUTS = ("names", "fleet", "user", *WHERE, "iam_endpoint")


class NamesProvider(ResourceProvider):
    """Looks, and makes nothing: deleting it does nothing either."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Look before the first bucket is made."""
        return CreateResult(str(props["fleet"]), self._look(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare every input."""
        return compared(olds, news, INPUTS)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Look again: there are other names, or another store."""
        return UpdateResult(self._look(news))

    @staticmethod
    def _look(props: Mapping[str, Any]) -> dict[str, Any]:
        from sparkfleet.cloud import buckets

        names = [str(name) for name in props["names"]]
        buckets.refuse_taken(connection_of(props), names, str(props["fleet"]), str(props["user"]))
        return only(props, INPUTS)


class Names(pulumi.dynamic.Resource, module="sparkfleet", name="Names"):
    """That the store has no bucket of these names but the fleet's own; buckets depend on it."""

    def __init__(self, fleet: str, names: list[str], user: str, where: Onprem, opts: ResourceOptions) -> None:
        """Describe the names that `fleet` wants in the store at `where`; `user` as buckets.refuse_taken has it."""
        props = {"names": names, "fleet": fleet, "user": user, **where_of(where), "iam_endpoint": where.iam_endpoint}
        super().__init__(NamesProvider(), "names", props, opts)
