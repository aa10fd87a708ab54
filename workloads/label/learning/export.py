"""Weights → model.onnx, and how far the two are apart. Speaks to torch.

Exported are input_ids and attention_mask, both (batch, tokens), to logits (batch, tokens, outputs).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workloads.label.learning.network import INPUTS, OUTPUT, Network, padded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

OPSET = 18
AT_ONCE = 16


class Bare(torch.nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """A model for token classification as a function of two tensors."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        # Of the wrapper, too: the exporter puts back the mode it finds here, and would switch dropout on again.
        self.eval()

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """The logits."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export(model: Any, file: Path) -> None:
    """Write the model."""
    axes = {0: "batch", 1: "tokens"}
    example = (torch.ones(2, 16, dtype=torch.int64), torch.ones(2, 16, dtype=torch.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Bare(model), example, str(file), input_names=list(INPUTS), output_names=[OUTPUT],
            dynamic_axes=dict.fromkeys((*INPUTS, OUTPUT), axes), opset_version=OPSET, dynamo=False,
        )  # fmt: skip


class Weights:
    """A model as it was trained, where it was trained; asked as learning.network.Network is."""

    most_tokens, at_once = 1 << 16, 1

    def __init__(self, model: Any) -> None:
        self._bare, self._device = Bare(model), next(model.parameters()).device

    def logits(self, windows: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """The logits of each window, as (tokens, outputs)."""
        with torch.no_grad():
            given = self._bare(*(torch.from_numpy(side).to(self._device) for side in padded(windows))).cpu().numpy()
        return [row[: len(window)] for row, window in zip(given, windows, strict=True)]


def parity(model: Any, file: Path, windows: Sequence[Sequence[int]]) -> float:
    """The greatest difference of any logit over these windows, torch to ONNX Runtime, filled up as batches are."""
    ours, network, most = Weights(model), Network(file), 0.0
    for start in range(0, len(windows), AT_ONCE):
        batch = windows[start : start + AT_ONCE]
        for row, logits in zip(ours.logits(batch), network.logits(batch), strict=True):
            most = max(most, float(np.abs(row - logits).max()))
    return most
