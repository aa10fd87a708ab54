"""A number of documents and a seed → a folder of mixed files, and beside it, in FOLDER.truth.jsonl, what is in them.

    python -m examples.make contracts examples/contracts/documents --documents 40 --seed 7

Document 12 of a seed is always the same, however many there are: more of them later are an archive that grew. The
truth is for whoever plays the reviewer; the loop never sees it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples import files, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.sentences import Kind, Sentence

SEEDS, SEED = 240, 7
# Ten in a row are an archive as they are: half of it PDF, and one that nobody can read.
FORMATS: list[tuple[str, str, Callable[[str, list[str]], bytes]]] = [
    ("{kind}-{number:03}", ".pdf", files.pdf),
    ("{title} no. {number}", ".docx", files.docx),
    ("2023/{kind}-{number:03}", ".pdf", files.pdf),
    ("{kind}-{number:03}", ".html", files.page),
    ("{kind}-{number:03}", ".pdf", files.pdf),
    ("{kind}-{number:03}", ".csv", files.table),
    ("notes/{kind}-{number:03}", ".md", files.markdown),
    ("Müller & Co {kind} {number}", ".docx", files.docx),
    ("{kind}-{number:03}", ".txt", files.plain),
]
BAD: list[tuple[str, str, Callable[[str, list[str]], bytes]]] = [
    ("{kind}-{number:03}", ".pdf", files.truncated),
    ("{kind}-{number:03}", ".docx", files.garbled),
    ("{kind}-{number:03}", ".pdf", files.empty),
    ("{kind}-{number:03}", ".pdf", files.docx),  # not what its name says, but all there
]


def made(kind: str, number: int, seed: int) -> tuple[str, bytes, list[Sentence]]:
    """Path, bytes and truth of one document; the truth of one that cannot be read is empty. Pure."""
    of: Kind = sentences.KINDS[kind]
    said = sentences.document(of, random.Random(f"{seed} {kind} {number}"))  # noqa: S311  (no secret)
    row, place = divmod(number - 1, len(FORMATS) + 1)
    name, suffix, written = FORMATS[place] if place < len(FORMATS) else BAD[row % len(BAD)]
    broken = written in (files.truncated, files.garbled, files.empty)
    # Two sentences a paragraph, as people write.
    paragraphs = [" ".join(each.text for each in said[at : at + 2]) for at in range(0, len(said), 2)]
    path = name.format(kind=kind, title=of.title, number=number) + suffix
    return path, written(f"{of.title} {number}", paragraphs), [] if broken else said


def documents(kind: str, folder: Path, count: int, seed: int) -> Path:
    """Write them, and the truth; returns the truth's file. What is there with other bytes is written anew."""
    truth = folder.with_name(f"{folder.name}.truth.jsonl")
    lines = []
    for number in range(1, count + 1):
        path, data, said = made(kind, number, seed)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        known = {
            "document": hashlib.sha256(data).hexdigest(),
            "path": path,
            "sentences": [plain(each) for each in said],
        }
        lines.append(json.dumps(known, ensure_ascii=False) + "\n")
    truth.write_text("".join(lines), encoding="utf-8")
    return truth


def seeds(kind: str) -> str:
    """The project's seeds.jsonl, as it lies beside its project.toml."""
    chosen = sentences.seeds(sentences.KINDS[kind], random.Random(f"{SEED} {kind} seeds"), SEEDS)  # noqa: S311
    return "".join(json.dumps(plain(each), ensure_ascii=False) + "\n" for each in chosen)


def plain(sentence: Sentence) -> dict[str, Any]:
    """As a project's seeds have it."""
    spans = [{"start": start, "end": end, "label": label} for start, end, label in sentence.spans]
    return {"text": sentence.text, "spans": spans}


def main() -> None:
    """Read the words, write the files."""
    words = argparse.ArgumentParser(description="Make an example's documents, or its seeds.")
    words.add_argument("kind", choices=sorted(sentences.KINDS))
    words.add_argument("folder", type=Path, help="where they go; with --seeds: the file")
    words.add_argument("--documents", type=int, default=40)
    words.add_argument("--seed", type=int, default=SEED)
    words.add_argument("--seeds", action="store_true", help="write the labelled sentences instead")
    asked = words.parse_args()
    if asked.seeds:
        asked.folder.write_text(seeds(asked.kind), encoding="utf-8")
        return
    truth = documents(asked.kind, asked.folder, asked.documents, asked.seed)
    print(f"{asked.documents} documents in {asked.folder}; what is in them: {truth}")


if __name__ == "__main__":
    main()
