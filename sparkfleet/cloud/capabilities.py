"""A kind of store, and what the description asks → what that store cannot do of it, in words for the preview.

Pure. An account does all of it for the same description; a store on the premises does less, and nothing of it is left
out in silence. What versitygw can do was measured (tests/sparkfleet/cloud/test_capabilities.py tries each on it).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.model import Fleet


class Ability(StrEnum):
    """What a store may do beside S3's and IAM's core; the text says what the lack of it means."""

    TLS = "it speaks http: buckets cannot be closed to requests without TLS, and keys and data pass in clear text"
    TAGS = "no tags on buckets: whose a bucket is cannot be told from it"
    OBJECT_LOCK = "no object lock: nothing keeps audit records and released models from being deleted"
    STAMPED_LOCK = (
        "a bucket's lock ends for all its objects so many days after it was set, not after each was written: released "
        "models are locked until then. Audit records are stamped one by one and are not concerned"
    )
    CONDITIONAL_WRITES = (
        "no policy can forbid overwriting: a second write of an audit record adds a version, which "
        "`spark audit --verify` finds"
    )
    ENCRYPTION = "no encryption of its own: data lies on its disks as it is; encrypt the disks"
    LIFECYCLE = "no lifecycle: old versions, artefacts and unfinished uploads stay until somebody removes them"
    PUBLIC_ACCESS_BLOCK = "no public access block: nothing but `pulumi refresh` notices a policy that opens a bucket"
    ACCESS_LOGS = "no access logs in a bucket: turn on the store's own"
    INVENTORY = "no inventory of what lies in the buckets"
    STORAGE_CLASSES = "no cheaper storage classes: artefacts stay where they are"
    SESSIONS = (
        "no keyless sessions: each host has a key of its own, in a file of mode 0600, replaced by `spark rotate s3`"
    )


CAN: Mapping[str, frozenset[Ability]] = {
    "versitygw": frozenset({Ability.TAGS, Ability.OBJECT_LOCK}),  # 1.8.0
    "other": frozenset({Ability.TAGS, Ability.OBJECT_LOCK}),  # without these `pulumi up` fails, and says so
}
"""Kind of store → what it can do. TLS is told by its address, not by its kind."""


def lacks(fleet: Fleet) -> list[str]:
    """One sentence for everything that the fleet's store on the premises does not do; none without such a store."""
    where = fleet.cloud.onprem
    if fleet.cloud.provider != "onprem" or where is None:
        return []
    can = set(CAN[where.store])
    if where.endpoint.startswith("https://"):
        can.add(Ability.TLS)
    if not fleet.cloud.models_locked_days:
        can.add(Ability.STAMPED_LOCK)  # nothing asks for it
    return [str(ability) for ability in Ability if ability not in can]
