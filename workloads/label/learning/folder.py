"""The folder of a model, as a candidate, in serving/<version>/ and in Calypso's repository → its card."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from workloads.errors import DamagedError, MissingModelError
from workloads.label.records import ModelCard

if TYPE_CHECKING:
    from pathlib import Path

MODEL, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "card.json"


def digest(file: Path) -> str:
    """A file's SHA-256."""
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


def card(folder: Path) -> ModelCard:
    """What is known of the model in a folder; raises MissingModelError, DamagedError."""
    try:
        return ModelCard.model_validate_json((folder / CARD).read_bytes())
    except FileNotFoundError:
        raise MissingModelError(f"{folder / CARD} is not there") from None
    except ValidationError:
        raise DamagedError(f"{folder / CARD} is no card of a model", next_step="move the folder away.") from None
