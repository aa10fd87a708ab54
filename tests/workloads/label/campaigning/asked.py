"""A project, a site file and one question → an answer as JSON; run by the label environment, which has the libraries.

due        what publish may send now: the items, and what is told
examples   made-up examples beside so many real ones: texts, origins, which are kept apart, and the file's lines
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from workloads.label import flow
from workloads.label.campaigning import synthetic, turn
from workloads.label.learning.examples import divided, reviewed
from workloads.label.records import Item, Review
from workloads.label.stages import Context


def main(question: str, folder: Path) -> object:
    """Ask it."""
    at = flow.place(folder, folder / "site.json")
    context = Context(at.params, at.site, at.work, "run", lambda *_: None)
    if question == "due":
        found = turn.due(context)
        return asdict(found) | {"items": sorted(found.items)}
    items = at.work.read(Item, "items.jsonl")
    real = reviewed(items, at.work.read(Review, "reviews.jsonl"))
    made = synthetic.examples(context, real, items)
    return {
        "real": len(real),
        "made": [each.model_dump(mode="json") for each in made],
        "apart": [each.item for each in divided([*real, *made])[1]],
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
