"""An S3-compatible bucket → objects read, in pieces, and put. The only module that speaks to the engine, obstore.

obstore (Rust's object_store) asks again by itself for as long as RETRY says; what outlasts that is a StoreError, of
which `silent` ones (no answer at all) are worth another try and refusals are not.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from workloads.datasets import credentials
from workloads.errors import ConfigError, NodeError, StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.datasets.config import StoreAt

CHUNK_BYTES = 4 << 20  # of a stream: what one connection holds in memory
UPLOAD_PART_BYTES = 16 << 20  # S3 allows 10,000 of them: 160 GiB a file
RETRY = {
    "max_retries": 4,
    "backoff": {"init_backoff": dt.timedelta(milliseconds=100), "max_backoff": dt.timedelta(seconds=2), "base": 2},
    "retry_timeout": dt.timedelta(seconds=20),
}
# `timeout` is of a whole request: a piece over a slow line may take long, but no read of it.
CLIENT = {
    "timeout": dt.timedelta(hours=2),
    "connect_timeout": dt.timedelta(seconds=5),
    "read_timeout": dt.timedelta(seconds=30),
}


class SilentError(StoreError):
    """The store did not answer: another try may help."""


class MissingError(StoreError):
    """There is no such object."""


class Store:
    """One bucket. Raises ConfigError for a description that cannot work, StoreError for what the store says."""

    def __init__(self, at: StoreAt, bucket: str) -> None:
        profile = credentials.profile(at.profile).values if at.profile and not at.credentials else {}
        endpoint = at.endpoint or profile.get("endpoint_url")
        options: dict[str, Any] = {"region": at.region or profile.get("region")} if at.region or profile else {}
        if endpoint:
            # One DNS name serves all buckets of a store on the premises.
            options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if keys := credentials.source(at):
            options["credential_provider"] = lambda: asdict(keys())
        self.where, self.bucket = endpoint or "S3", bucket
        client = {**CLIENT, "allow_http": bool(endpoint and endpoint.startswith("http://"))}
        try:
            self._store = S3Store(bucket, client_options=client, retry_config=RETRY, **options)  # type: ignore[arg-type]
        except (BaseError, ValueError) as error:
            raise ConfigError(f"the store cannot be used as described: {printable(str(error))}") from error

    def read(self, key: str) -> bytes:
        """A whole, small object; raises MissingError when there is none."""
        with self._explained(f"reading {key}"):
            return bytes(obstore.get(self._store, key).bytes())

    def size(self, key: str) -> int | None:
        """Of an object; None when there is none."""
        try:
            with self._explained(f"asking for {key}"):
                return int(obstore.head(self._store, key)["size"])
        except MissingError:
            return None

    def pieces(self, key: str, start: int, length: int, *, whole: bool) -> Iterator[Any]:
        """The bytes of an object from `start` on, as buffers; `whole`: all of it, in one plain request."""
        with self._explained(f"reading {key}"):
            if whole:
                got = obstore.get(self._store, key)
            else:
                got = obstore.get(self._store, key, options={"range": (start, start + length)})
            if length <= CHUNK_BYTES:
                yield got.bytes()
            else:
                yield from got.stream(min_chunk_size=CHUNK_BYTES)

    def put(self, key: str, content: bytes | Path, *, new: bool = False) -> bool:
        """Store a whole object; with `new` only where none is, and False when one was."""
        mode: Any = "create" if new else "overwrite"
        with self._explained(f"writing {key}"):
            try:
                obstore.put(
                    self._store, key, content, mode=mode, chunk_size=UPLOAD_PART_BYTES, max_concurrency=4,
                    use_multipart=False if new else None,
                )  # fmt: skip
            except AlreadyExistsError:
                return False
        return True

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        place = f"{doing} in bucket {self.bucket} of {self.where}"
        try:
            yield
        except NodeError:
            raise
        except FileNotFoundError as error:
            raise MissingError(f"{printable(place)}: there is no such object") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StoreError(
                f"{printable(place)}: the store refuses this key",
                usually="the key was replaced, or may not read there",
                next_step="`pulumi up` gives a host its key; hosts may read shared/ and hosts/<their name>/.",
            ) from error
        except BaseError as error:
            raise SilentError(
                f"{printable(place)}: {reason(error)}",
                usually="the store is down, or the network to it",
                next_step="when it answers again, run the same command: what has come already stays.",
            ) from error


def reason(error: BaseException) -> str:
    """The innermost words of the engine's error: the outer ones repeat the request, debug text follows."""
    text = str(error).split("\n\nDebug source:")[0]
    return printable(" ".join(text.split()), 200)
