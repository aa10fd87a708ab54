"""Pages without text → parts, by Granite-Docling in Docling's VLM pipeline."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch
from docling.datamodel import vlm_model_specs
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat
from docling.datamodel.pipeline_options import VlmPipelineOptions
from docling.document_converter import DocumentConverter, ImageFormatOption, PdfFormatOption
from docling.models.vlm_pipeline_models import hf_transformers_model
from docling.pipeline.vlm_pipeline import VlmPipeline
from PIL import Image

from workloads.label.converting.readers import asking, markup
from workloads.label.converting.readers.layout import without_torchvision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workloads.label.converting.messages import Answer, Task
    from workloads.label.converting.readers import Place


@functools.cache
def _converter(artifacts: Path, *, served: bool) -> DocumentConverter:
    without_torchvision()
    options = VlmPipelineOptions(
        artifacts_path=artifacts,
        vlm_options=vlm_model_specs.GRANITEDOCLING_TRANSFORMERS,
        accelerator_options=AcceleratorOptions(num_threads=1),
    )
    kinds = {InputFormat.PDF: PdfFormatOption, InputFormat.IMAGE: ImageFormatOption}
    converter = DocumentConverter(
        allowed_formats=list(kinds),
        format_options={kind: of(pipeline_cls=VlmPipeline, pipeline_options=options) for kind, of in kinds.items()},
    )
    own = hf_transformers_model.HuggingFaceTransformersVlmModel
    try:
        if served:  # Docling has no other way to be given a model
            hf_transformers_model.HuggingFaceTransformersVlmModel = asking.Words
        converter.initialize_pipeline(InputFormat.PDF)
    finally:
        hf_transformers_model.HuggingFaceTransformersVlmModel = own
    return converter


def warm(place: Place) -> None:
    """Load the model, or what stands in for it."""
    _converter(place.artifacts, served=place.served)


def read(task: Task, place: Place) -> Answer:
    """The pages from `task.first` to `task.last`; a picture has but one."""
    asking.MODELS[:] = [place.models] if place.models else []
    torch.set_num_threads(place.threads)
    converter = _converter(place.artifacts, served=place.served)
    pages = (task.first, task.last)
    return markup.answer(converter.convert(place.folder / task.file, raises_on_error=False, page_range=pages))


def model(place: Place) -> Callable[..., list[str]]:
    """The vision model itself, on a GPU if there is one: as Docling has it."""
    without_torchvision()
    found = hf_transformers_model.HuggingFaceTransformersVlmModel(
        enabled=True, artifacts_path=place.artifacts, vlm_options=vlm_model_specs.GRANITEDOCLING_TRANSFORMERS,
        accelerator_options=AcceleratorOptions(num_threads=place.threads),
    )  # fmt: skip

    def texts(pages: Sequence[tuple[tuple[int, int], bytearray]], prompts: list[str]) -> list[str]:
        pictures = [Image.frombuffer("RGB", size, dots) for size, dots in pages]
        return [each.text for each in found.process_images(pictures, prompts)]

    return texts
