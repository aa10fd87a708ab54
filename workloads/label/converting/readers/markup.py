"""Office formats and HTML → parts, by Docling without a model; nothing that is outside the file is fetched."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from docling.datamodel.base_models import ConversionStatus, InputFormat
from docling.document_converter import DocumentConverter

from workloads.label.converting.formats import RefusedError
from workloads.label.converting.messages import Answer
from workloads.label.converting.readers import document
from workloads.label.records import Why

if TYPE_CHECKING:
    from docling.datamodel.document import ConversionResult

    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

FORMATS = {name: InputFormat(name) for name in ("docx", "xlsx", "pptx", "odt", "ods", "odp", "html")}


@functools.cache
def _converter() -> DocumentConverter:
    return DocumentConverter(allowed_formats=list(FORMATS.values()))


def warm(place: Place) -> None:  # noqa: ARG001
    """Its imports take seconds; there is nothing else to load."""
    _converter()


def read(task: Task, place: Place) -> Answer:
    """The file is called as its format wants it: Docling goes by that."""
    return answer(_converter().convert(place.folder / task.file, raises_on_error=False))


def answer(result: ConversionResult) -> Answer:
    """What Docling made of it; raises RefusedError when that is nothing."""
    said = [f"page {error.page_no}: {error.error_message}" if getattr(error, "page_no", None) else error.error_message
            for error in result.errors]  # fmt: skip
    if result.status not in {ConversionStatus.SUCCESS, ConversionStatus.PARTIAL_SUCCESS}:
        raise RefusedError(Why.UNREADABLE, said[0] if said else "Docling could not read it")
    failed = [error.page_no for error in result.errors if getattr(error, "page_no", None)]
    return Answer(parts=document.parts(result.document), notes=said[:20], failed=failed)
