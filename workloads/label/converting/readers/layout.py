"""Pages of a PDF with a text layer → parts in reading order, with headings and lists: Docling's standard pipeline.

Its layout model runs here; OCR does not, nor does TableFormer: its plugin needs torchvision, which this environment
cannot have. Docling imports that plugin all the same, hence the empty stand-in.
"""

from __future__ import annotations

import functools
import sys
import types
from typing import TYPE_CHECKING

from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat
from docling.datamodel.pipeline_options import ThreadedPdfPipelineOptions
from docling.document_converter import DocumentConverter, PdfFormatOption
from transformers.utils import is_torchvision_available

from workloads.label.converting.readers import markup

if TYPE_CHECKING:
    from workloads.label.converting.messages import Answer, Task
    from workloads.label.converting.readers import Place


def without_torchvision() -> None:
    """Transformers has looked for torchvision by now and remembers that it is not there; Docling finds this."""
    if not is_torchvision_available() and "torchvision" not in sys.modules:
        empty = types.ModuleType("torchvision")
        empty.transforms = types.ModuleType("torchvision.transforms")  # type: ignore[attr-defined]
        sys.modules |= {"torchvision": empty, "torchvision.transforms": empty.transforms}


@functools.cache
def _converter(place: Place) -> DocumentConverter:
    without_torchvision()
    options = ThreadedPdfPipelineOptions(
        artifacts_path=place.artifacts,
        do_ocr=False,
        do_table_structure=False,
        accelerator_options=AcceleratorOptions(num_threads=place.threads),
    )
    converter = DocumentConverter(format_options={InputFormat.PDF: PdfFormatOption(pipeline_options=options)})
    converter.initialize_pipeline(InputFormat.PDF)
    return converter


def warm(place: Place) -> None:
    """Load the layout model."""
    _converter(place)


def read(task: Task, place: Place) -> Answer:
    """The pages from `task.first` to `task.last`."""
    file = place.folder / task.file
    return markup.answer(_converter(place).convert(file, raises_on_error=False, page_range=(task.first, task.last)))
