"""config.pbtxt: what it says comes back, and Triton's own reader takes it."""

from __future__ import annotations

import re

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from workloads.errors import DamagedError
from workloads.label.promoting import served
from workloads.label.records import ModelCard

CARD = ModelCard.model_validate({
    "run": "r1", "project": "contracts", "labels": ["PARTY", "DATE"], "base": "b", "tokenizer_sha256": "1" * 64,
    "onnx_sha256": "2" * 64, "examples": 1, "synthetic": 0, "training_sha256": "0" * 64, "seed": 1, "epochs": 1,
    "temperature": 1, "max_tokens": 64, "parity": 0, "versions": {}, "trained_at": "2026-11-21T00:00:00Z",
})  # fmt: skip


@given(
    st.integers(1, 2**63 - 1),
    st.from_regex(re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII), fullmatch=True),
    st.text(max_size=40).filter(lambda run: run.isprintable()),
)
def test_triton_reads_what_was_meant(version: int, model: str, run: str) -> None:
    """One version, five outputs for two labels, and the run's name, whatever is in it."""
    text = served.render(model, version, CARD.model_copy(update={"run": run}))
    config = text_format.Parse(text, ModelConfig())

    assert served.version_of(text) == version
    assert list(config.version_policy.specific.versions) == [version]
    assert (config.name, config.backend, list(config.output[0].dims)) == (model, "onnxruntime", [-1, 5])
    assert config.parameters["spark_run_id"].string_value == run
    assert config.parameters["tokenizer_sha256"].string_value == "1" * 64


def test_nothing_served_is_told_apart_from_a_file_by_hand() -> None:
    """The first is an end of a promotion; the second is somebody's work that must not be overwritten."""
    assert served.version_of(served.nothing("contracts")) is None
    assert text_format.Parse(served.nothing("contracts"), ModelConfig()).backend == served.NOTHING
    for text in ("", 'backend: "onnxruntime"', "version_policy: { latest { num_versions: 1 } }"):
        with pytest.raises(DamagedError, match="one version by its number"):
            served.version_of(text)
