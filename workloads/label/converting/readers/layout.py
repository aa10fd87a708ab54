"""Pages of a PDF with a text layer → parts in reading order, with headings and lists: Docling's standard pipeline.

Its layout model runs here; OCR does not, nor does TableFormer: its plugin needs torchvision, which this environment
cannot have. Docling imports that plugin all the same, hence the empty stand-in.
"""

from __future__ import annotations

import functools
import sys
import types
from typing import TYPE_CHECKING, Any

import torch
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.backend_options import ThreadedDoclingParseBackendOptions
from docling.datamodel.base_models import InputFormat
from docling.datamodel.pipeline_options import LayoutObjectDetectionOptions, ThreadedPdfPipelineOptions
from docling.document_converter import DocumentConverter, PdfFormatOption
from docling.models.inference_engines.object_detection import ObjectDetectionEngineInput
from docling.models.stages.layout import layout_object_detection_model
from PIL import Image
from transformers.utils import is_torchvision_available

from workloads.label.converting.readers import asking, markup
from workloads.label.converting.serving import Boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workloads.label.converting.messages import Answer, Task
    from workloads.label.converting.readers import Place

PAGES_AT_ONCE = 4  # for the model, and twice as many between Docling's threads: a worker holds no more pages than that


def without_torchvision() -> None:
    """Transformers has looked for torchvision by now and remembers that it is not there; Docling finds this."""
    if not is_torchvision_available() and "torchvision" not in sys.modules:
        empty = types.ModuleType("torchvision")
        empty.transforms = types.ModuleType("torchvision.transforms")  # type: ignore[attr-defined]  # ours
        sys.modules |= {"torchvision": empty, "torchvision.transforms": empty.transforms}


@functools.cache
def _converter(artifacts: Path, *, served: bool) -> DocumentConverter:
    without_torchvision()
    options = ThreadedPdfPipelineOptions(
        artifacts_path=artifacts,
        do_ocr=False,
        do_table_structure=False,
        accelerator_options=AcceleratorOptions(num_threads=1),
        layout_batch_size=PAGES_AT_ONCE,
        queue_max_size=2 * PAGES_AT_ONCE,
    )
    parsing = ThreadedDoclingParseBackendOptions(parser_threads=1, max_concurrent_results=PAGES_AT_ONCE)
    format_option = PdfFormatOption(pipeline_options=options, backend_options=parsing)
    converter = DocumentConverter(format_options={InputFormat.PDF: format_option})
    own = layout_object_detection_model.create_object_detection_engine
    try:
        if served:  # Docling has no other way to be given an engine
            layout_object_detection_model.create_object_detection_engine = _asking
        converter.initialize_pipeline(InputFormat.PDF)
    finally:
        layout_object_detection_model.create_object_detection_engine = own
    return converter


def _asking(**words: Any) -> asking.Detection:
    return asking.Detection(
        options=words["options"],
        model_config=words["model_spec"].get_engine_config(words["options"].engine_type),
        accelerator_options=words["accelerator_options"],
        artifacts_path=words["artifacts_path"],
    )


def warm(place: Place) -> None:
    """Load the layout model, or what stands in for it."""
    _converter(place.artifacts, served=place.served)


def read(task: Task, place: Place) -> Answer:
    """The pages from `task.first` to `task.last`."""
    asking.MODELS[:] = [place.models] if place.models else []
    torch.set_num_threads(place.threads)
    converter = _converter(place.artifacts, served=place.served)
    pages = (task.first, task.last)
    return markup.answer(converter.convert(place.folder / task.file, raises_on_error=False, page_range=pages))


def model(place: Place) -> Callable[..., list[Boxes]]:
    """The layout model itself, on a GPU if there is one: Docling's own engine."""
    engine = layout_object_detection_model.create_object_detection_engine(
        options=(options := LayoutObjectDetectionOptions()).engine_options,
        model_spec=options.model_spec,
        artifacts_path=place.artifacts,
        accelerator_options=AcceleratorOptions(num_threads=place.threads),
    )
    engine.initialize()

    def boxes(pages: Sequence[tuple[tuple[int, int], bytearray]], _prompts: list[str]) -> list[Boxes]:
        found = engine.predict_batch(
            [ObjectDetectionEngineInput(image=Image.frombuffer("RGB", size, dots)) for size, dots in pages]
        )
        return [Boxes(labels=each.label_ids, scores=each.scores, boxes=each.bboxes) for each in found]

    return boxes
