"""A text file → its paragraphs, in the encoding that it is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workloads.label.converting.encodings import encoding
from workloads.label.converting.messages import Answer, Part

if TYPE_CHECKING:
    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

BLANK = re.compile(r"\n[ \t]*\n\s*")


def read(task: Task, place: Place) -> Answer:
    """Paragraphs are what blank lines part."""
    file = place.folder / task.file
    text = file.read_text(encoding=encoding(file), errors="replace")
    return Answer(parts=[Part(kind="text", text=part) for part in paragraphs(text)])


def paragraphs(text: str) -> list[str]:
    """Pure: without those that are blank."""
    return [part for each in BLANK.split(text.replace("\r\n", "\n").replace("\r", "\n")) if (part := each.strip("\n"))]
