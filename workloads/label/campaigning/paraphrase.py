"""A template → the same in other words, by a language model behind an OpenAI-compatible server.

Only the template goes there, never a document: its slots stand for what is confidential. What comes back counts line by
line, and only where every slot of the template is in it: whatever else a model says is left out, and counted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workloads.errors import ServiceError, printable
from workloads.label import chat
from workloads.label.campaigning.templates import same_slots
from workloads.label.records import Record

if TYPE_CHECKING:
    from workloads.label.params import Synthetic

PROMPT = (
    "Reword the sentence below in {count} different ways, as other authors of such documents would put it. Keep every "
    "placeholder in braces exactly as it is, each as often as it stands there, and add none. One wording a line, "
    "nothing else.\n\n{template}"
)
MOST_TOKENS = 2048
LISTED = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")  # a list's marks, which models like to add


class Wording(Record):
    """A rewording that a model made of a template; an empty one says that it made none that could be used."""

    template: str
    text: str
    model: str


def reworded(template: str, wanted: Synthetic) -> list[Wording]:
    """At most `paraphrases` of them; raises ServiceError when there is no answer."""
    asked = PROMPT.format(count=wanted.paraphrases, template=template)
    body = {
        "model": wanted.model, "max_tokens": MOST_TOKENS, "seed": wanted.seed,
        "messages": [{"role": "user", "content": asked}],
    }  # fmt: skip
    said = chat.ask(wanted.endpoint, body)
    if said.fault:
        raise ServiceError(
            f"rewording templates: {printable(said.fault)}",
            usually="campaign.synthetic.endpoint names no chat completions, or its server is down.",
            next_step="mend it, or leave it out: the templates do without. What was reworded is kept.",
        )
    told = usable(template, said.text)[: wanted.paraphrases]
    return [Wording(template=template, text=each, model=wanted.model) for each in told or [""]]


def usable(template: str, answer: str) -> list[str]:
    """Pure: the lines of an answer that say the template in other words."""
    lines = [LISTED.sub("", line).strip().strip('"') for line in answer.splitlines()]
    return [line for line in dict.fromkeys(lines) if line != template and same_slots(template, line)]
