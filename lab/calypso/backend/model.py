"""model.onnx → answers: the lab's `onnxruntime` backend for Triton, so that production's config.pbtxt loads unchanged.

Triton's own backend of that name is C++ and not in the wheel; this one is Python, runs in the server's stub and knows
the CPU alone. https://github.com/triton-inference-server/backend/blob/main/docs/python_based_backends.md
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One version of one model; the server calls it by these names."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Nothing is guessed: the config says all."""
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the file; whatever is wrong with it is the reason that the server gives for not loading the version."""
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the lab shares its cores with everything else
        self.session = onnxruntime.InferenceSession(
            folder / (config.get("default_model_filename") or "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [each["name"] for each in config["input"]]
        self.outputs = {each["name"]: triton.triton_string_to_numpy(each["data_type"]) for each in config["output"]}

    def execute(self, requests: list[Any]) -> list[Any]:
        """An answer a request. What the runtime refuses fails all of them, as in Triton's own backend.

        An error in one answer would be kinder, and the server would count it as a success.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        given = {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        found = self.session.run(list(self.outputs), given)
        named = zip(self.outputs.items(), found, strict=True)
        return triton.InferenceResponse([triton.Tensor(name, array.astype(kind)) for (name, kind), array in named])
