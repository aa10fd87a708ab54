"""Pages without text → parts, by Granite-Docling in Docling's VLM pipeline; or from DocTags that an endpoint wrote."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from docling.datamodel import vlm_model_specs
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat
from docling.datamodel.pipeline_options import VlmPipelineOptions
from docling.document_converter import DocumentConverter, ImageFormatOption, PdfFormatOption
from docling.pipeline.vlm_pipeline import VlmPipeline
from docling_core.types.doc import DoclingDocument
from docling_core.types.doc.doctags import DocTagsDocument

from workloads.label.converting.messages import Answer
from workloads.label.converting.readers import document, markup
from workloads.label.converting.readers.endpoint import SAID, Said
from workloads.label.converting.readers.layout import without_torchvision

if TYPE_CHECKING:
    from workloads.label.converting.messages import Task
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


def doctags(task: Task, place: Place) -> Answer:  # noqa: ARG001
    """What the endpoint said of each page, which lies in the folder, as parts."""
    said = [Said(**each) for each in json.loads((place.folder / SAID).read_text(encoding="utf-8"))]
    parts = []
    for page in said:
        if page.text and not page.fault:
            tags = DocTagsDocument.from_doctags_and_image_pairs([page.text], None)
            parts += [part.model_copy(update={"page": page.page})
                      for part in document.parts(DoclingDocument.load_from_doctags(tags))]  # fmt: skip
    failed = [page for page in said if page.fault]
    notes = [f"page {page.page}: {page.fault}" for page in failed[:20]]
    return Answer(parts=parts, failed=[page.page for page in failed], notes=notes)
