"""A real S3 server on a folder of this test, without a lab: it can be killed, and started again with what it held."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from lab.toolchain import ensure
from workloads.label.promoting.repository import Repository
from workloads.label.site import Models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "models"
KEYS = {"ROOT_ACCESS_KEY": "test", "ROOT_SECRET_KEY": "of-this-test"}


@dataclass
class StoreUnderTest:
    """One versitygw and its bucket."""

    program: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Returns when it listens."""
        (self.folder / "data" / BUCKET).mkdir(parents=True, exist_ok=True)
        told = {"Version": 1, "AccessKeyId": KEYS["ROOT_ACCESS_KEY"], "SecretAccessKey": KEYS["ROOT_SECRET_KEY"]}
        (self.folder / "key.json").write_text(json.dumps(told))
        self.process = subprocess.Popen(
            [self.program, "--quiet", "--port", f"127.0.0.1:{self.port}", "posix", self.folder / "data"],
            env={**os.environ, **KEYS}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < until, "the store does not listen"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def models(self) -> Models:
        """Its part of a site file."""
        endpoint, key = f"http://127.0.0.1:{self.port}", self.folder / "key.json"
        return Models(endpoint=endpoint, region="us-east-1", bucket=BUCKET, prefix="serving", credentials=key)

    def repository(self, model: str) -> Repository:
        """A model's part of the bucket."""
        return Repository(self.models, model)

    def file(self, *parts: str) -> Path:
        """An object as it lies on the store's disk."""
        return self.folder.joinpath("data", BUCKET, "serving", *parts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreUnderTest]:
    """One of its own for each test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = StoreUnderTest(ensure(["versitygw"])["versitygw"], tmp_path / "store", port)
    made.start()
    yield made
    made.kill()
