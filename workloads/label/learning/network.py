"""model.onnx and windows of tokens → logits. Speaks to ONNX Runtime; on the CPU, as every machine has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from workloads.errors import DamagedError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Logits = NDArray[np.float32]

INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"
QUIET = 3  # errors alone


class Network:
    """A model that takes `input_ids` and `attention_mask`; raises DamagedError for one that is none or takes others.

    It may be asked for `at_once` batches at the same time, each on a core of its own: where cores share a batch, they
    wait for one another at every step of the network. With at_once = 1 they do, and one batch is there soonest.
    """

    # Of a batch, with what fills it up. Measured with 66 M parameters on Intel Xeon cores: 256 to 512 tokens fill the
    # arithmetic units and stay in a core's cache; batches of 32 windows took up to twice the time a token.
    most_tokens = 256

    def __init__(self, file: Path, at_once: int = 1) -> None:
        self.at_once = at_once
        options = onnxruntime.SessionOptions()
        options.log_severity_level = QUIET
        options.intra_op_num_threads = 1 if at_once > 1 else 0  # 0: all
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others need the cores, too
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the engine's errors share no base of their own
            raise DamagedError(f"{file} is no model: {printable(str(error))}") from error
        taken, given = (
            [each.name for each in side()] for side in (self._session.get_inputs, self._session.get_outputs)
        )
        if (sorted(taken), given) != (sorted(INPUTS), [OUTPUT]):
            raise DamagedError(f"{file} takes {printable(', '.join(taken))} and gives {printable(', '.join(given))}")

    def logits(self, windows: Sequence[Sequence[int]]) -> list[Logits]:
        """The logits of each window, as (tokens, outputs); all go in one batch, so they should be of like length."""
        ids, mask = padded(windows)
        try:
            given: Any = self._session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))[0]
        except Exception as error:
            raise DamagedError(f"the model does not take what its tokenizer makes: {printable(str(error))}") from error
        return [row[: len(window)] for row, window in zip(given, windows, strict=True)]


def padded(windows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Windows as one batch: tokens filled up with zeros, and the mask that hides those."""
    ids = np.zeros((len(windows), max(map(len, windows))), np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
        mask[row, : len(window)] = 1
    return ids, mask
