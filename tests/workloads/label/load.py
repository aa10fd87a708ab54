"""So many requests a second to a model, whatever becomes of the ones before → what became of each phase of a test.

    load.py ADDRESS MODEL RATE DEADLINE_S TOKENS       an open loop: no request waits for another, none is sent again

Standard output says `begun` once the model answers. Standard input names phases, a line each, and its end ends the
load; then JSON says how each phase went.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter, defaultdict
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

# gRPC sends some requests again by itself; here nobody does. It connects again at once, or what is measured of a
# restart would be its own back-off.
RECONNECT_MS = 100
OPTIONS = [
    ("grpc.enable_retries", 0),
    *((f"grpc.{which}_reconnect_backoff_ms", RECONNECT_MS) for which in ("initial", "min", "max")),
]


class Load:
    """The requests and what became of them."""

    def __init__(self, address: str, asked: Any, deadline_s: float) -> None:
        channel = grpc.insecure_channel(address, options=OPTIONS)
        self._infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        self._request, self._deadline_s = asked, deadline_s
        self.phase, self.waiting, self._lock = "begin", 0, threading.Lock()
        self.took: dict[str, list[float]] = defaultdict(list)
        self.failed: dict[str, Counter[str]] = defaultdict(Counter)
        self.failed_at: dict[str, list[float]] = defaultdict(list)
        self.versions: dict[str, Counter[str]] = defaultdict(Counter)
        self.answers: dict[str, set[str]] = defaultdict(set)

    def greet(self) -> None:
        """Connect, and return with a first answer, which is not counted."""
        self._infer(self._request, timeout=self._deadline_s, wait_for_ready=True)

    def send(self) -> None:
        """One request; returns at once."""
        phase, began = self.phase, time.monotonic()
        with self._lock:
            self.waiting += 1
        self._infer.future(self._request, timeout=self._deadline_s).add_done_callback(
            lambda done: self._came(done, phase, began)
        )

    def _came(self, done: Any, phase: str, began: float) -> None:
        now = time.monotonic()
        with self._lock:
            self.waiting -= 1
            self.took[phase].append(now - began)
            if done.code() is not grpc.StatusCode.OK:
                self.failed[phase][f"{done.code().name}: {done.details()}"[:160]] += 1
                self.failed_at[phase].append(began)
                return
            said = done.result()
            classes = (
                np.frombuffer(said.raw_output_contents[0], np.float32).reshape(said.outputs[0].shape)[0].argmax(-1)
            )
            self.versions[phase][said.model_version] += 1
            self.answers[said.model_version].add(json.dumps(classes.tolist()))

    def told(self) -> dict[str, Any]:
        """By phase; times in milliseconds. `answers`: every different answer of each version."""
        with self._lock:
            phases = {phase: self._phase(phase) for phase in self.took}
            return {"phases": phases, "answers": {version: sorted(each) for version, each in self.answers.items()}}

    def _phase(self, phase: str) -> dict[str, Any]:
        took, failed_at = self.took[phase], self.failed_at[phase] or [0.0]
        p50, p99, most = (round(float(np.quantile(took, at)) * 1000, 1) for at in (0.5, 0.99, 1))
        return {
            "sent": len(took), "failed": sum(self.failed[phase].values()), "why": dict(self.failed[phase]),
            "failing_s": round(max(failed_at) - min(failed_at), 2),
            "p50_ms": p50, "p99_ms": p99, "max_ms": most, "versions": dict(self.versions[phase]),
        }  # fmt: skip


def request(model: str, tokens: list[int]) -> Any:
    """One question, made once."""
    made = service_pb2.ModelInferRequest(model_name=model)
    for name, values in (("input_ids", tokens), ("attention_mask", [1] * len(tokens))):
        made.inputs.add(name=name, datatype="INT64", shape=[1, len(tokens)])
        made.raw_input_contents.append(np.array([values], np.int64).tobytes())
    return made


def main() -> None:
    """Load until standard input ends."""
    address, model, rate, deadline_s = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    load, over = Load(address, request(model, json.loads(sys.argv[5])), deadline_s), threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            load.phase = line.strip()
        over.set()

    load.greet()
    print("begun", flush=True)
    threading.Thread(target=listen, daemon=True).start()
    begin, sent = time.monotonic(), 0
    while not over.is_set():
        due = begin + sent / rate
        if (early := due - time.monotonic()) > 0:
            time.sleep(early)
        load.send()
        sent += 1
    seconds = time.monotonic() - begin
    until = time.monotonic() + deadline_s + 1
    while load.waiting and time.monotonic() < until:
        time.sleep(0.05)
    print(json.dumps({**load.told(), "seconds": seconds, "rate": sent / seconds}))


if __name__ == "__main__":
    main()
