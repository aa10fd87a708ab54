"""A data set's prefix in a bucket → the manifest of the wanted version, with its text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.datasets import manifest as manifests
from workloads.datasets.config import LATEST, NAME
from workloads.datasets.store import MissingError, Store
from workloads.errors import DamagedError, StoreError

if TYPE_CHECKING:
    from workloads.datasets.config import Wanted
    from workloads.datasets.manifest import Manifest


@dataclass(frozen=True)
class Pointer:
    """What `latest.json` says: a version, and the SHA-256 of its manifest."""

    version: str
    sha256: str

    def text(self) -> bytes:
        """As it is stored."""
        return (json.dumps({"version": self.version, "sha256": self.sha256}) + "\n").encode()


def manifest_key(wanted: Wanted, version: str) -> str:
    """Where the manifest of a version lies."""
    return f"{wanted.prefix}/manifests/{version}.json"


def pointer_key(wanted: Wanted) -> str:
    """Where it stands which version is the latest."""
    return f"{wanted.prefix}/latest.json"


def latest(store: Store, wanted: Wanted) -> Pointer | None:
    """The version that was published last; None before the first one. Raises DamagedError, StoreError."""
    try:
        text = store.read(pointer_key(wanted))
    except MissingError:
        return None
    try:
        data = json.loads(text)
        pointer = Pointer(data["version"], data["sha256"])
        sound = NAME.fullmatch(pointer.version) and manifests.DIGEST.fullmatch(pointer.sha256)
    except (ValueError, KeyError, TypeError):
        sound = None
    if not sound:
        raise DamagedError(f"{pointer_key(wanted)} in bucket {wanted.bucket} names no version")
    return pointer


def resolve(store: Store, wanted: Wanted) -> Pointer:
    """The wanted version; its digest is empty where it is named. Raises StoreError when nothing was published yet."""
    if wanted.version != LATEST:
        return Pointer(wanted.version, "")
    pointer = latest(store, wanted)
    if pointer is None:
        raise StoreError(
            f"nothing of {wanted.name} has been published in bucket {wanted.bucket} below {wanted.prefix}",
            next_step=f"`spark-node datasets publish {wanted.name} FOLDER` publishes a first version.",
        )
    return pointer


def fetch(store: Store, wanted: Wanted, pointer: Pointer) -> tuple[Manifest, bytes]:
    """The manifest that a pointer names, and its text. Raises DamagedError when it is another one."""
    key = manifest_key(wanted, pointer.version)
    try:
        text = store.read(key)
    except MissingError as error:
        raise StoreError(
            f"{wanted.name} has no version {pointer.version}: there is no {key} in bucket {wanted.bucket}",
            next_step="name one that was published.",
        ) from error
    if pointer.sha256 and manifests.digest(text) != pointer.sha256:
        raise DamagedError(
            f"{key} in bucket {wanted.bucket} is not the manifest that was published as {pointer.version}",
            usually="it was replaced since, or a publish goes on right now",
            next_step="publish a new version; what was served before is served on.",
        )
    found = manifests.parse(text, f"{key} in bucket {wanted.bucket}")
    if found.version != pointer.version:
        raise DamagedError(f"{key} in bucket {wanted.bucket} is the manifest of {found.version}")
    return found, text
