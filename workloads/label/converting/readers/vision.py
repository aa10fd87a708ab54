"""Pages without text → parts, by Granite-Docling in Docling's VLM pipeline."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from docling.datamodel import vlm_model_specs
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat
from docling.datamodel.pipeline_options import VlmPipelineOptions
from docling.document_converter import DocumentConverter, ImageFormatOption, PdfFormatOption
from docling.pipeline.vlm_pipeline import VlmPipeline

from workloads.label.converting.readers import markup
from workloads.label.converting.readers.layout import without_torchvision

if TYPE_CHECKING:
    from workloads.label.converting.messages import Answer, Task
    from workloads.label.converting.readers import Place


@functools.cache
def _converter(place: Place) -> DocumentConverter:
    without_torchvision()
    options = VlmPipelineOptions(
        artifacts_path=place.artifacts,
        vlm_options=vlm_model_specs.GRANITEDOCLING_TRANSFORMERS,
        accelerator_options=AcceleratorOptions(num_threads=place.threads),
    )
    kinds = {InputFormat.PDF: PdfFormatOption, InputFormat.IMAGE: ImageFormatOption}
    converter = DocumentConverter(
        allowed_formats=list(kinds),
        format_options={kind: of(pipeline_cls=VlmPipeline, pipeline_options=options) for kind, of in kinds.items()},
    )
    converter.initialize_pipeline(InputFormat.PDF)
    return converter


def warm(place: Place) -> None:
    """Load the model."""
    _converter(place)


def read(task: Task, place: Place) -> Answer:
    """The pages from `task.first` to `task.last`; a picture has but one."""
    pages = (task.first, task.last)
    return markup.answer(_converter(place).convert(place.folder / task.file, raises_on_error=False, page_range=pages))
