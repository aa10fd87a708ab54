"""An S3-compatible bucket → objects read, in pieces, and put. The only module that speaks to the engine, obstore.

obstore (Rust's object_store) asks again by itself for as long as RETRY says; what outlasts that is a StoreError, of
which `silent` ones (no answer at all) are worth another try and refusals are not.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import S3Store

from workloads.datasets import credentials
from workloads.errors import ConfigError, DamagedError, NodeError, StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workloads.datasets.config import StoreAt
    from workloads.datasets.credentials import Keys

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
# The engine's errors are text: https://docs.rs/object_store, "Server returned non-2xx status code".
STATUS, CODE = re.compile(r"status code: (\d{3})"), re.compile(r"<Code>(\w+)</Code>")
REFUSALS = {"AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound"}
PASSING = {408, 425, 429}  # a later try may be let through


class SilentError(StoreError):
    """The store did not answer: another try may help."""


class MissingError(StoreError):
    """There is no such object."""


class Store:
    """One bucket. Raises ConfigError for a description that cannot work, StoreError for what the store says."""

    def __init__(self, at: StoreAt, bucket: str) -> None:
        profile = credentials.profile_of(at).values if at.profile and not at.credentials else {}
        endpoint = at.endpoint or profile.get("endpoint_url")
        # A bucket that locks what is put into it refuses every upload without one (S3 user guide, "Object Lock").
        options: dict[str, Any] = {"checksum_algorithm": "SHA256"}
        options |= {"region": at.region or profile.get("region")} if at.region or profile else {}
        if endpoint:
            # One DNS name serves all buckets of a store on the premises.
            options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        self._without_key: NodeError | None = None
        if keys := credentials.source(at):
            options["credential_provider"] = self._provided(keys)
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

    def pieces(self, key: str, start: int, length: int, size: int) -> Iterator[Any]:
        """So many bytes of an object from `start` on, as buffers; raises DamagedError when it has not `size` in all."""
        with self._explained(f"reading {key}"):
            if length == size:
                got = obstore.get(self._store, key)
            else:
                got = obstore.get(self._store, key, options={"range": (start, start + length)})
            if got.meta["size"] != size:
                raise DamagedError(f"it has {got.meta['size']} bytes instead of {size}")
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

    def tagged(self, key: str) -> tuple[bytes, str] | None:
        """A whole, small object and the tag of this very content; None when there is none."""
        try:
            with self._explained(f"reading {key}"):
                got = obstore.get(self._store, key)
                return bytes(got.bytes()), str(got.meta["e_tag"])
        except MissingError:
            return None

    def swap(self, key: str, content: bytes, tag: str | None) -> bool:
        """Store a small object where the one with `tag` still is, or none with None; False when another one is.

        An answer that was lost on the way is asked for again: then the first try may be what is there, and counts.
        """
        mode: Any = {"e_tag": tag} if tag else "create"
        with self._explained(f"writing {key}"):
            try:
                obstore.put(self._store, key, content, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError, NotFoundError):
                there = self.tagged(key)
                return there is not None and there[0] == content
        return True

    def folders(self, prefix: str) -> list[str]:
        """The names that lie directly below `prefix` and have something below them."""
        with self._explained(f"listing {prefix}"):
            found = obstore.list_with_delimiter(self._store, prefix or None)["common_prefixes"]
        return [path.rpartition("/")[2] for path in found]

    def names(self, prefix: str) -> list[str]:
        """Of the objects that lie directly below `prefix`."""
        with self._explained(f"listing {prefix}"):
            found = obstore.list_with_delimiter(self._store, prefix or None)["objects"]
        return [str(each["path"]).rpartition("/")[2] for each in found]

    def _provided(self, keys: Callable[[], Keys]) -> Callable[[], dict[str, Any]]:
        """What the engine asks for keys; it would tell a failure as one of the network."""

        def answer() -> dict[str, Any]:
            try:
                given = asdict(keys())
            except NodeError as error:
                self._without_key = error
                raise
            self._without_key = None
            return given

        return answer

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            if self._without_key:
                raise self._without_key from None
            raise explained(str(error), f"{doing} in bucket {self.bucket} of {self.where}") from error


def explained(text: str, place: str) -> NodeError:
    """The engine's words for a failure → ours, by the answer's status and code. Pure.

    obstore calls every 404 a missing object; versitygw 1.8 answers so to a key that it does not know.
    """
    place = printable(place)
    status, code = STATUS.search(text), CODE.search(text)
    number, name = int(status[1]) if status else 0, code[1] if code else ""
    if number in {401, 403} or name in REFUSALS:
        return StoreError(
            f"{place}: the store refuses this key ({name or number})",
            usually="the key was replaced, or may not do this there; some stores say so too where there is no object",
            next_step="`pulumi up` gives a host its key; hosts may read shared/ and hosts/<their name>/.",
        )
    if name == "NoSuchBucket":
        return StoreError(f"{place}: there is no such bucket", next_step="name another one, or `pulumi up` makes it.")
    if number == 404 or (not status and "not found" in text):
        return MissingError(f"{place}: there is no such object")
    if number == 416:
        return DamagedError(f"{place}: the object is shorter than what was published")
    if 400 <= number < 500 and number not in PASSING:
        return StoreError(f"{place}: the store answers {number} {name}".rstrip())
    return SilentError(
        f"{place}: {reason(text)}",
        usually="the store is down, or the network to it",
        next_step="when it answers again, run the same command: what has come already stays.",
    )


def reason(text: str) -> str:
    """The engine's words without what it prints for its authors."""
    return printable(" ".join(text.split("\n\nDebug source:", maxsplit=1)[0].split()), 200)
