"""Pictures of pages → what a vision model behind an OpenAI-compatible server says of each, as DocTags.

The one reader that has a network; it opens no document, and a picture is only passed on. A page is asked for again
when the server is busy or silent; a refusal, or an answer that is cut short, is the page's failure.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workloads.label.converting.messages import Answer

if TYPE_CHECKING:
    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

SAID = "said.json"
MODEL, PROMPT = "ibm-granite/granite-docling-258M", "Convert this page to docling."  # as the model was trained
AT_ONCE = 8  # a server batches what comes together; measured gain up to there
TRIES, WAIT_S, WITHIN_S = 4, 1.0, 120.0
MOST_TOKENS, MOST_BYTES = 8192, 4 << 20
PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Said:
    """Of a page: its DocTags, or why there are none."""

    page: int
    text: str = ""
    fault: str = ""


def read(task: Task, place: Place) -> Answer:
    """`said.json` in the worker's folder."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoDetours())
    with ThreadPoolExecutor(AT_ONCE) as threads:
        said = list(threads.map(lambda page: asked(page, place, opener), range(task.first, task.last + 1)))
    (place.folder / SAID).write_text(json.dumps([asdict(each) for each in said]), encoding="utf-8")
    return Answer(files=[SAID])


def asked(page: int, place: Place, opener: urllib.request.OpenerDirector) -> Said:
    """One page, as often as it makes sense."""
    picture = base64.b64encode((place.folder / f"page-{page}.png").read_bytes()).decode()
    content = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        {"type": "text", "text": PROMPT},
    ]
    body = {"model": MODEL, "max_tokens": MOST_TOKENS, "temperature": 0.0, "skip_special_tokens": False,
            "messages": [{"role": "user", "content": content}]}  # fmt: skip
    request = urllib.request.Request(  # noqa: S310  (params says that it is http or https)
        place.endpoint, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    fault = ""
    for turn in range(TRIES):
        time.sleep(WAIT_S * (2**turn - 1))
        try:
            with opener.open(request, timeout=WITHIN_S) as response:
                return answer(page, response.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            fault = f"the endpoint answers {error.code}"
            if error.code not in PASSING:
                break
        except OSError as error:
            fault = f"the endpoint does not answer: {error}"
    return Said(page, fault=fault)


def answer(page: int, data: bytes) -> Said:
    """Pure: a server's answer → what it says, or why that cannot be used."""
    try:
        choice: dict[str, Any] = json.loads(data)["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return Said(page, fault="the endpoint's answer is none")
    if choice.get("finish_reason") == "length":
        return Said(page, fault="the model did not come to an end")
    return Said(page, text=text) if isinstance(text, str) else Said(page, fault="the endpoint's answer is none")


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """Pages go to the endpoint that the owner named, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Never."""
