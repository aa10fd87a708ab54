"""What an endpoint said of pages, as DocTags → parts; without any model, so that loading it takes no time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from docling_core.types.doc import DoclingDocument
from docling_core.types.doc.doctags import DocTagsDocument

from workloads.label.converting.messages import Answer
from workloads.label.converting.readers import document
from workloads.label.converting.readers.endpoint import SAID, Said

if TYPE_CHECKING:
    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place


def read(task: Task, place: Place) -> Answer:  # noqa: ARG001
    """The answers lie in the folder, where the step before has left them."""
    said = [Said(**each) for each in json.loads((place.folder / SAID).read_text(encoding="utf-8"))]
    parts = []
    for page in said:
        if page.text and not page.fault:
            tags = DocTagsDocument.from_doctags_and_image_pairs([page.text], None)
            found = document.parts(DoclingDocument.load_from_doctags(tags))
            parts += [part.model_copy(update={"page": page.page}) for part in found]
    failed = [page for page in said if page.fault]
    notes = [f"page {page.page}: {page.fault}" for page in failed[:20]]
    return Answer(parts=parts, failed=[page.page for page in failed], notes=notes)
