"""A question to an OpenAI-compatible server → what its model says, or why there is nothing to use.

Asked again while the server is busy or silent; a refusal, or an answer that is cut short, is final. No secret is sent:
such a server is one of our own, and whoever asks it goes nowhere else.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

TRIES, WAIT_S, WITHIN_S = 4, 1.0, 120.0
MOST_BYTES = 4 << 20
PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Said:
    """What a model said, or why it said nothing."""

    text: str = ""
    fault: str = ""


def ask(endpoint: str, body: dict[str, Any]) -> Said:
    """A chat completion, as often as it makes sense; from any thread."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoDetours())
    request = urllib.request.Request(  # noqa: S310  (params says that it is http or https)
        endpoint, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    fault = ""
    for turn in range(TRIES):
        time.sleep(WAIT_S * (2**turn - 1))
        try:
            with opener.open(request, timeout=WITHIN_S) as response:
                return answer(response.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            fault = f"the endpoint answers {error.code}"
            if error.code not in PASSING:
                break
        except OSError as error:
            fault = f"the endpoint does not answer: {error}"
    return Said(fault=fault)


def answer(data: bytes) -> Said:
    """Pure: a server's answer → what it says, or why that cannot be used."""
    try:
        choice: dict[str, Any] = json.loads(data)["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return Said(fault="the endpoint's answer is none")
    if choice.get("finish_reason") == "length":
        return Said(fault="the model did not come to an end")
    return Said(text=text) if isinstance(text, str) else Said(fault="the endpoint's answer is none")


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """What is asked goes to the endpoint that the owner named, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Never."""
