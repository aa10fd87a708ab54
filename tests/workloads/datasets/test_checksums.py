"""What is put into a store → the checksum that goes with it, without which a bucket with object lock refuses it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from workloads.datasets import config as configs
from workloads.datasets.store import UPLOAD_PART_BYTES, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workloads.datasets.serving import Mirror


class Locked(BaseHTTPRequestHandler):
    """Take what has a checksum, and answer as S3 does for a bucket with a default retention to what has none."""

    def do_PUT(self) -> None:
        """S3's words are those of its API reference, PutObject."""
        self.rfile.read(int(self.headers["Content-Length"]))
        summed = any(name.lower().startswith(("x-amz-checksum-", "content-md5")) for name in self.headers)
        refusal = (
            b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- is required</Message></Error>"
        )
        body = b"" if summed else refusal
        self.send_response(200 if summed else 400)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests say enough."""


@pytest.fixture
def locked() -> Iterator[str]:
    """The address of a store whose buckets all lock."""
    server = HTTPServer(("127.0.0.1", 0), Locked)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_bucket_that_locks_takes_what_is_put(locked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """New, overwritten and swapped objects bear a checksum."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    store = Store(configs.StoreAt(endpoint=locked, region="us-east-1"), "models")

    assert store.put("card", b"new", new=True)
    assert store.put("card", b"over it")
    assert store.swap("served", b"1", None)


def test_an_object_of_several_parts_arrives_whole(mirror: Mirror, tmp_path: Path) -> None:
    """Each part has a checksum of its own; a real store puts them together."""
    config = configs.parse(mirror.plain)
    store, size = Store(config.store, "tests"), 2 * UPLOAD_PART_BYTES + 1
    file = tmp_path / "weights"
    file.write_bytes(bytes(range(256)) * (size // 256) + b"x")

    store.put(f"{mirror.prefix}/weights", file)

    assert store.read(f"{mirror.prefix}/weights") == file.read_bytes()
