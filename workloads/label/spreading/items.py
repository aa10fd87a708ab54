"""preannotate on many machines: items and the model that serves go there; a prediction of each comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.errors import NodeError
from workloads.label.params import FILE
from workloads.label.records import Document, Item, Prediction
from workloads.label.spreading import spread
from workloads.label.spreading.hand import Order
from workloads.label.spreading.ledger import Piece
from workloads.label.stages import preannotate
from workloads.label.stages.preannotate import ITEMS, PREDICTIONS
from workloads.label.workspace import lines

if TYPE_CHECKING:
    from workloads.label.learning.serving import Serving
    from workloads.label.spreading.hand import Said
    from workloads.label.stages import Context, Report

DOCUMENTS = "documents.jsonl"
ORDER = Order("preannotate", {PREDICTIONS: ()})


@dataclass
class Items:
    """Those that one model is to look at."""

    context: Context
    model: Serving
    left: dict[str, Item]
    spans: int = 0
    what: str = "items"
    order: Order = ORDER

    def common(self) -> dict[str, bytes]:
        """The project, and the model as it lies here."""
        folder = self.model.folder
        model = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        place = f"work/{self.context.params.name}/serving/{folder.name}"
        project = (self.context.params.folder / FILE).read_bytes()
        return {f"project/{FILE}": project, **{f"{place}/{name}": data for name, data in model.items()}}

    def share(self, names: list[str]) -> tuple[dict[str, bytes], list[str]]:
        """Their records, and those of their documents, whose source a prediction names."""
        some = [self.left[name] for name in names]
        wanted = {item.document for item in some}
        documents = [each for each in self.context.work.read(Document, DOCUMENTS) if each.id in wanted]
        place = f"work/{self.context.params.name}"
        return {f"{place}/{ITEMS}": lines(some), f"{place}/{DOCUMENTS}": lines(documents)}, []

    def piece(self, said: Said) -> str:
        """A prediction's item; raises ValueError."""
        return Prediction.model_validate_json(said.line).item

    def take(self, said: list[Said]) -> None:
        """Put them down; raises ValueError for those of another model."""
        made = [Prediction.model_validate_json(each.line) for each in said]
        if any((each.model, each.run) != (self.model.name, self.model.run) for each in made):
            raise ValueError(f"a prediction is not of {self.model.name}")
        self.context.work.append(PREDICTIONS, made)
        self.spans += sum(len(each.spans) for each in made)

    def give_up(self, name: str) -> None:
        """No item should do that: nothing is hidden by going on."""
        raise NodeError(
            f"machines went down, one after the other, while they had item {name}",
            usually="something else than the item is wrong with them",
            next_step="look at their journals; without ray in label.json this machine does it alone.",
        )


def predict(context: Context, model: Serving, left: list[Item]) -> Report:
    """Let all machines say what the model can of each item."""
    began, job = time.monotonic(), Items(context, model, {item.id: item for item in left})
    pieces = [Piece(item.id, len(item.text.encode())) for item in left]
    told = spread.run(context, job, pieces)
    seconds = time.monotonic() - began
    rate = round(len(left) / seconds, 1) if left else None
    return {"predicted": len(left), "spans": job.spans, "items_s": rate, **told}


def run(context: Context) -> Report:
    """Cut, draw, predict; raises as the stage does, and as `spread.run`."""
    return preannotate.run(context, predict)
