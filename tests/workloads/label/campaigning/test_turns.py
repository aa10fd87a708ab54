"""A campaign on a workspace: rounds begin when it is time, and what is made up to learn from is marked and capped."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from lab import environments
from lab.instance import CHECKOUT
from tests.workloads.label.model.archive import Archive, sentence
from workloads.label.arms import arm
from workloads.label.campaigning.rounds import ROUNDS, How, Round
from workloads.label.items import items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAMPAIGN = """
[campaign]
batch = 10
budget_minutes = 1.5
[campaign.synthetic]
templates = "templates.txt"
values = { NAME = ["{{name}}"], DATE = ["{{date}}", "19##"] }
count = 60
share = 0.25
"""


@pytest.fixture
def letters(tmp_path: Path) -> Archive:
    """Forty letters, cut into items as the stage does it; nobody has reviewed any; a campaign is described."""
    chance = random.Random(7)  # noqa: S311  (the same letters every time)
    made = Archive(tmp_path / "letters", environments.python(environments.ensure("label")))
    made.begin(tmp_path)
    with (made.folder / "project.toml").open("a") as file:
        file.write(CAMPAIGN)
    (made.folder / "templates.txt").write_text("{NAME} wrote on {DATE}.\nOn {DATE} came {NAME}.\n")
    made.add("\n\n".join(sentence(chance) for _ in range(chance.randint(1, 12))) for _ in range(40))
    for name in made.truth:
        text = made.work.path(f"texts/{name}.txt").read_text()
        made.work.append("items.jsonl", items(name, text, arm("letters", name, 0.3, 0.2), 400))
    return made


@pytest.fixture
def rewording() -> Iterator[str]:
    """A language model that rewords well, and badly, in one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][0]["content"]
            template = asked.rsplit("\n", 1)[-1]
            text = f"1. It is said: {template}\n2. {template.replace('{DATE}', 'today')}\n3. {template} Yes."
            told = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    server.shutdown()


def ask(question: str, letters: Archive) -> Any:
    """The label environment's answer."""
    words = [letters.python, "-m", "tests.workloads.label.campaigning.asked", question, letters.folder]
    return json.loads(subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout)


def test_rounds_follow_one_another_until_the_minutes_are_spent(letters: Archive) -> None:
    """One is begun, and left while people are at it; the next one takes others; the budget ends it, and stays spent."""
    first = ask("due", letters)
    assert len(first["items"]) == 10
    assert ask("due", letters) == first
    (begun,) = letters.work.read(Round, ROUNDS)
    assert [sum(pick.how is how for pick in begun.picks) for how in How] == [5, 2, 3]

    every = {item.id: item for item in letters.items()}
    letters.review(every[name] for name in first["items"])  # at five seconds each
    second = ask("due", letters)
    assert set(first["items"]) < set(second["items"])
    assert len(second["items"]) == 18  # 90 seconds are good for 18 items
    letters.review(every[name] for name in set(second["items"]) - set(first["items"]))
    assert ask("due", letters) == {"items": [], "told": "over: the budget of 1.5 minutes is spent"}
    assert len(letters.work.read(Round, ROUNDS)) == 2


def test_made_up_examples_are_marked_capped_and_kept_from_judging(letters: Archive) -> None:
    """A quarter of all at most; each says what made it; none calibrates; the same ones the next day."""
    letters.review(letters.items())
    told = ask("examples", letters)
    made = told["made"]
    assert len(made) == told["real"] // 3 > 0
    assert all(each["synthetic"] and each["generator"].startswith("faker ") for each in made)
    assert all(each["text"][span["start"] : span["end"]].strip() for each in made for span in each["spans"])
    assert not {each["item"] for each in made} & set(told["apart"])
    assert not {each["item"] for each in made} & {item.id for item in letters.items()}
    assert ask("examples", letters) == told


def test_a_language_model_words_templates_and_what_it_spoils_is_left_out(letters: Archive, rewording: str) -> None:
    """Its wordings are asked for once, and marked; the one that lost a slot is none."""
    file = letters.folder / "project.toml"
    file.write_text(file.read_text() + f'endpoint = "{rewording}"\nmodel = "tiny"\n')
    letters.review(letters.items())
    made = ask("examples", letters)["made"]
    lines = [json.loads(line) for line in letters.work.path("campaign/synthetic.jsonl").read_text().splitlines()]
    assert {each["reworded_by"] for each in lines} == {"", "tiny"}
    assert not [each for each in lines if "today" in each["text"]]
    assert {each["template"] for each in lines if each["reworded_by"]} == {
        "It is said: {NAME} wrote on {DATE}.", "{NAME} wrote on {DATE}. Yes.",
        "It is said: On {DATE} came {NAME}.", "On {DATE} came {NAME}. Yes.",
    }  # fmt: skip
    assert made
    asked = letters.work.path("campaign/paraphrases.jsonl").read_text()
    file.write_text(file.read_text().replace(rewording, "http://127.0.0.1:1/"))  # asked once, never again
    assert ask("examples", letters)["made"] == made
    assert letters.work.path("campaign/paraphrases.jsonl").read_text() == asked
