"""A gRPC server in this process that speaks Triton's protocol and says whatever a test wants of itself."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """What it says; `header`: the name and value without which it answers as --grpc-restricted-protocol does."""

    version: str
    name: str = "triton"
    extensions: tuple[str, ...] = ()
    header: tuple[str, str] | None = None
    url: str = ""

    def ServerMetadata(self, _: Any, context: Any) -> Any:  # noqa: N802  (the protocol's name)
        """Its name and version."""
        sent = {one.key: one.value for one in context.invocation_metadata()}
        if self.header and sent.get(self.header[0]) != self.header[1]:
            words = (
                f"This protocol is restricted, expecting header '{self.header[0]}'; you sent {sent.get(self.header[0])}"
            )
            context.abort(grpc.StatusCode.UNAVAILABLE, words)
        return service_pb2.ServerMetadataResponse(name=self.name, version=self.version, extensions=self.extensions)

    def ServerReady(self, *_: Any) -> Any:  # noqa: N802  (the same)
        """Always."""
        return service_pb2.ServerReadyResponse(ready=True)


@contextmanager
def running(triton: Triton) -> Iterator[Triton]:
    """Let it answer on a free port, named in its `url`."""
    server = grpc.server(ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
    triton.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield triton
    finally:
        server.stop(None).wait()
