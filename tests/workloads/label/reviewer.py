"""A scripted person: takes one task after the other from Label Studio's own queue, and says what is true, mostly.

It knows the truth, which no part of the product reads. It is slower where nothing is marked for it, now and then makes
a mistake, skips a page, or goes for lunch; the same seed gives the same person. Everything goes through the API that
the page in a browser uses, lead time and parent prediction included.
"""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Mark = tuple[int, int, str]  # start, end (exclusive), label
LUNCH_S = 3900.0
# Seconds: to read a page, to mark a stretch oneself, to look at one that is marked.
READ_S, MARK_S, LOOK_S = 12.0, 6.0, 1.5


class Api:
    """Label Studio, as a browser speaks to it."""

    def __init__(self, url: str, token_file: Path) -> None:
        self.url, self.token_file = url, token_file

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """The answer to a GET, or to a POST of `body`; None where there is nothing."""
        sent = None if body is None else json.dumps(body).encode()
        token = self.token_file.read_text().strip()
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/{path}", sent, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                told = answer.read()
                return json.loads(told) if told else None
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def project(self, name: str) -> int:
        """The number of the one that publish made for project `name`."""
        found = [
            each["id"] for each in self.ask("projects?page_size=1000")["results"]
            if f"spark-node label: {name}" in (each["description"] or "")
        ]  # fmt: skip
        assert len(found) == 1, found
        return int(found[0])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """Every task, with its data, annotations and predictions, in order."""
        return list(self.ask(f"tasks?project={project}&fields=all&page_size=10000")["tasks"])

    def duplicates(self, project: int) -> int:
        """How many tasks, and predictions of the same model, are there once too often."""
        tasks = self.tasks(project)
        items = Counter(task["data"]["item"] for task in tasks)
        models = Counter((task["id"], each["model_version"]) for task in tasks for each in task["predictions"])
        return sum(count - 1 for count in (*items.values(), *models.values()))


@dataclass
class Reviewer:
    """One person. `truth`: a task's data (text, document, item) → its marks. `user`: somebody else's number.

    For examples: truth=lambda data: spans(known[document of data["item"]], data["text"]), see examples/truth.py.
    """

    api: Api
    truth: Callable[[dict[str, Any]], Iterable[Mark]]
    seed: int = 1
    mistakes: float = 0.05
    skips: float = 0.02
    lunches: float = 0.01
    user: int | None = None
    did: Counter[str] = field(default_factory=Counter)

    def work(self, project: int, most: int | None = None) -> Counter[str]:
        """Review until nothing is left, or so many; returns what was accepted, edited, made from blank or skipped."""
        told = Counter[str]()
        while (most is None or told.total() < most) and (task := self.api.ask(f"projects/{project}/next")):
            told[self.review(task)] += 1
        self.did += told
        return told

    def review(self, task: dict[str, Any]) -> str:
        """Say what is true of one task."""
        rng = random.Random(f"{self.seed} {task['data']['item']}")  # noqa: S311  (the same person each time)
        shown = task["predictions"][0] if task["predictions"] else None
        before = marks(shown["result"]) if shown else set()
        skipped = rng.random() < self.skips
        after = set() if skipped else self._mistaken(set(self.truth(task["data"])), rng)
        seconds = READ_S + LOOK_S * len(before) + MARK_S * len(before ^ after)
        lead_time = LUNCH_S if rng.random() < self.lunches else seconds * rng.uniform(0.7, 1.5)
        self.api.ask(
            f"tasks/{task['id']}/annotations/",
            {
                "result": result(task["data"]["text"], after),
                "was_cancelled": skipped,
                "lead_time": round(lead_time, 1),
                "parent_prediction": shown["id"] if shown else None,
                **({} if self.user is None else {"completed_by": self.user}),
            },
        )
        if skipped:
            return "skipped"
        if shown is None:
            return "blank"
        return "accepted" if before == after else "edited"

    def _mistaken(self, true: set[Mark], rng: random.Random) -> set[Mark]:
        """The truth, or with one mark forgotten."""
        if true and rng.random() < self.mistakes:
            return true - {rng.choice(sorted(true))}
        return true


def marks(told: Iterable[dict[str, Any]]) -> set[Mark]:
    """The stretches of a prediction or an annotation."""
    return {(each["value"]["start"], each["value"]["end"], each["value"]["labels"][0]) for each in told}


def result(text: str, wanted: Iterable[Mark], control: str = "label", shown: str = "text") -> list[dict[str, Any]]:
    """The stretches as the page sends them."""
    return [
        {
            "id": f"r{number}", "from_name": control, "to_name": shown, "type": "labels", "origin": "manual",
            "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
        }
        for number, (start, end, label) in enumerate(sorted(wanted))
    ]  # fmt: skip
