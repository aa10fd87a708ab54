"""Pictures of pages → what a vision model behind an OpenAI-compatible server says of each, as DocTags.

The one reader that has a network; it opens no document, and a picture is only passed on. A page of which nothing comes
back that can be used is that page's failure.
"""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from workloads.label import chat
from workloads.label.converting.messages import Answer

if TYPE_CHECKING:
    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

SAID = "said.json"
MODEL, PROMPT = "ibm-granite/granite-docling-258M", "Convert this page to docling."  # as the model was trained
AT_ONCE = 8  # a server batches what comes together; measured gain up to there
MOST_TOKENS = 8192


@dataclass(frozen=True)
class Said:
    """Of a page: its DocTags, or why there are none."""

    page: int
    text: str = ""
    fault: str = ""


def read(task: Task, place: Place) -> Answer:
    """`said.json` in the worker's folder."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        said = list(threads.map(lambda page: asked(page, place), range(task.first, task.last + 1)))
    (place.folder / SAID).write_text(json.dumps([asdict(each) for each in said]), encoding="utf-8")
    return Answer(files=[SAID])


def asked(page: int, place: Place) -> Said:
    """One page."""
    picture = base64.b64encode((place.folder / f"page-{page}.png").read_bytes()).decode()
    content = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        {"type": "text", "text": PROMPT},
    ]
    body = {"model": MODEL, "max_tokens": MOST_TOKENS, "temperature": 0.0, "skip_special_tokens": False,
            "messages": [{"role": "user", "content": content}]}  # fmt: skip
    told = chat.ask(place.endpoint, body)
    return Said(page, told.text, told.fault)
