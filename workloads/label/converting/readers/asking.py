"""A picture of Docling's pipelines → a page for the models' server, and its answer back: what stands in for a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from docling.datamodel.base_models import VlmPrediction
from docling.models.inference_engines.object_detection import hf_base
from docling.models.vlm_pipeline_models.hf_transformers_model import HuggingFaceTransformersVlmModel

from workloads.label.converting import serving
from workloads.label.converting.messages import Reader

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from docling.models.inference_engines.object_detection import (
        ObjectDetectionEngineInput,
        ObjectDetectionEngineOutput,
    )
    from PIL.Image import Image

    from workloads.label.converting.serving import Told

MODELS: list[socket.socket] = []  # this process's line to the server, once it has one


class Detection(hf_base.HfObjectDetectionEngineBase):  # type: ignore[misc]  # no types are published
    """In the place of an engine that finds boxes."""

    def initialize(self) -> None:
        """The names of its labels; weights are the server's."""
        folder = self._resolve_model_folder(self._repo_id, str(self._model_config.revision or "main"))
        self._id_to_label = self._load_label_mapping(folder)
        self._initialized = True

    def get_label_mapping(self) -> dict[int, str]:
        """By number."""
        return dict(self._id_to_label)

    def predict_batch(self, input_batch: list[ObjectDetectionEngineInput]) -> list[ObjectDetectionEngineOutput]:
        """The server's boxes."""
        told = asked(Reader.LAYOUT, [item.image for item in input_batch], []).boxes
        return [
            self._build_output(input_item=item, labels=each.labels, scores=each.scores, boxes=each.boxes)
            for item, each in zip(input_batch, told, strict=True)
        ]


class Words(HuggingFaceTransformersVlmModel):  # type: ignore[misc]  # no types are published
    """In the place of a vision model."""

    def __init__(self, **words: Any) -> None:
        self.enabled, self.vlm_options = True, words["vlm_options"]

    def process_images(self, image_batch: list[Image], prompt: list[str]) -> Iterator[VlmPrediction]:
        """The server's words."""
        for text in asked(Reader.VISION, image_batch, prompt).texts:
            yield VlmPrediction(text=text)


def asked(reader: Reader, pictures: list[Image], prompts: list[str]) -> Told:
    """This process ends where nobody answers: that is no document's fault, and Docling would take it for one."""
    pages = [picture.convert("RGB") for picture in pictures]
    question = serving.Question(reader=reader, sizes=[page.size for page in pages], prompts=prompts)
    if question.bytes > serving.MOST_BODY_BYTES:
        raise ValueError("pages that are too large")
    try:
        return serving.ask(MODELS[0], question, b"".join(page.tobytes() for page in pages))
    except (IndexError, serving.GoneError):
        os._exit(serving.GONE)
