"""A folder → a real S3 server (versitygw) over it on loopback, without a lab: it can be killed, and started again."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lab.toolchain import ensure
from tests.programs import free_port
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = {"AccessKeyId": "tests", "SecretAccessKey": "only-on-loopback"}


class ObjectStore:
    """A server with one bucket in `folder`; it keeps its address when it is started again."""

    def __init__(self, folder: Path, bucket: str) -> None:
        self.folder, self.bucket, self.port = folder, bucket, free_port()
        self.key_file = folder / "key.json"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it answers."""
        (self.folder / "data" / self.bucket).mkdir(parents=True, exist_ok=True)
        self.key_file.write_text(json.dumps({"Version": 1, **KEY}))
        words = [str(ensure(["versitygw"])["versitygw"]), "--quiet", "--port", f"127.0.0.1:{self.port}", "posix"]
        keys = {"ROOT_ACCESS_KEY": KEY["AccessKeyId"], "ROOT_SECRET_KEY": KEY["SecretAccessKey"]}
        self.process = subprocess.Popen(
            [*words, str(self.folder / "data")], env={**os.environ, **keys}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers, "the store")

    def again(self) -> None:
        """Start it where a test has killed it."""
        if self.process is None:
            self.start()

    def kill(self) -> None:
        """At once, as a power cut does it."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def object(self, *key: str) -> Path:
        """Where it keeps an object's bytes."""
        return self.folder.joinpath("data", self.bucket, *key)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/")
            connection.getresponse()
            return True
        return False


@contextmanager
def serving(folder: Path, bucket: str) -> Iterator[ObjectStore]:
    """A server that ends with the block."""
    store = ObjectStore(folder, bucket)
    store.start()
    try:
        yield store
    finally:
        store.kill()
