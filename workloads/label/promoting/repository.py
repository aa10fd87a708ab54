"""A bucket → the versions of one model that Calypso can serve, and the one that it does serve.

PREFIX/MODEL/config.pbtxt        names the version that is served; the truth, also after a restart of the server
PREFIX/MODEL/N/model.onnx …      written once, with card.json first, which claims the number, and manifest.json last
PREFIX/MODEL.promotions.json     whose turn it is to promote, and how earlier turns ended

A version without manifest.json is not one: its upload was cut off, and only the same candidate goes on with it. Nothing
is ever deleted, so what served once can be served again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.datasets.store import MissingError, Store
from workloads.errors import DamagedError, MissingModelError, printable
from workloads.label.learning.folder import digest
from workloads.label.promoting import served
from workloads.label.records import ModelCard

if TYPE_CHECKING:
    from workloads.label.site import Models

CARD, MANIFEST = "card.json", "manifest.json"
PLAIN = re.compile(r"[a-z][a-z_]*\.[a-z]+")  # a file's name: whoever writes to the bucket names none elsewhere
ROUNDS = 20  # of claiming a number while others claim some, too


def serving(models: Models, model: str) -> int | None:
    """The version that is served; None while none is. Raises StoreError, DamagedError."""
    return Repository(models, model).serving()


def fetch(models: Models, model: str, version: int, into: Path) -> Path:
    """A version's files in the folder `into`, all or none; raises MissingModelError, DamagedError, StoreError."""
    return Repository(models, model).fetch(version, into)


@dataclass(frozen=True)
class File:
    """One file of a version."""

    sha256: str
    size: int


class Repository:
    """One model's part of the bucket."""

    def __init__(self, at: Models, model: str) -> None:
        self.store, self.model = Store(at.store, at.bucket), model
        prefix = at.prefix.strip("/")
        self.key = f"{prefix}/{model}" if prefix else model
        # Beside the model's folder, not in it: the server takes whatever changes in there for a change of the model.
        self.turn_key = f"{self.key}.promotions.json"

    def serving(self) -> int | None:
        """The version that config.pbtxt names."""
        found = self.store.tagged(f"{self.key}/{served.FILE}")
        return served.version_of(found[0].decode(errors="replace")) if found else None

    def point(self, text: str, before: int | None) -> None:
        """Replace a config.pbtxt that names `before`, or write this very one again; raises DamagedError for another."""
        key = f"{self.key}/{served.FILE}"
        there, tag = self.store.tagged(key) or (b"", None)
        now = served.version_of(there.decode(errors="replace")) if tag else None
        if now not in {before, served.version_of(text)} or not self.store.swap(key, text.encode(), tag):
            raise DamagedError(
                f"{printable(key)}: somebody else changed it meanwhile, it names version {now}",
                usually="this process was held up and another one took over, or somebody promotes by hand",
                next_step="look at the promotions with `spark-node label status`; then run it again.",
            )

    def versions(self) -> list[int]:
        """Every number that was claimed, ascending."""
        return sorted(int(name) for name in self.store.folders(self.key) if name.isdecimal())

    def manifest(self, version: int) -> dict[str, File] | None:
        """The files of a whole version; None for one whose upload never ended."""
        try:
            read = json.loads(self.store.read(f"{self.key}/{version}/{MANIFEST}"))["files"].items()
            if all(PLAIN.fullmatch(name) for name, _ in read):
                return {name: File(**told) for name, told in read}
        except MissingError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise DamagedError(f"{self.key}/{version}/{MANIFEST} cannot be read")

    def card(self, version: int) -> ModelCard:
        """What is known of a version; raises MissingModelError, DamagedError."""
        return ModelCard.model_validate_json(self.read(version, CARD))

    def read(self, version: int, name: str) -> bytes:
        """A small file of a whole version, checked; raises MissingModelError, DamagedError."""
        expected = (self.manifest(version) or {}).get(name)
        if expected is None:
            raise MissingModelError(f"{self.key}: version {version} has no {name}, or is not whole")
        content = self.store.read(f"{self.key}/{version}/{name}")
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise _other(f"{self.key}/{version}/{name}")
        return content

    def add(self, files: dict[str, Path]) -> int:
        """Write a new version, or what an interrupted upload of the same files left to write; its number.

        Every file is read back: raises DamagedError when the store holds other bytes than were sent.
        """
        sums = {name: File(digest(path), path.stat().st_size) for name, path in sorted(files.items())}
        version = self._claim(files[CARD].read_bytes(), sums)
        for name, path in files.items():
            self.store.put(f"{self.key}/{version}/{name}", path, new=True)
        for name, expected in sums.items():
            self._compare(version, name, expected)
        text = json.dumps({"files": {name: vars(told) for name, told in sums.items()}}, indent=1) + "\n"
        if not self.store.swap(f"{self.key}/{version}/{MANIFEST}", text.encode(), None):
            raise DamagedError(f"{self.key}/{version}: its manifest names other files")
        return version

    def fetch(self, version: int, into: Path) -> Path:
        """See the function of this name."""
        if (into / MANIFEST).exists():
            return into  # it was renamed to its place when all of it was there
        manifest = self.manifest(version)
        if manifest is None:
            raise MissingModelError(f"{self.key}: there is no version {version} in the model repository")
        partial = into.with_name(f".{into.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            for name, expected in manifest.items():
                self._compare(version, name, expected, partial / name)
            (partial / MANIFEST).write_bytes(self.store.read(f"{self.key}/{version}/{MANIFEST}"))
            shutil.rmtree(into, ignore_errors=True)
            partial.rename(into)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return into

    def _claim(self, card: bytes, sums: dict[str, File]) -> int:
        """An older claim with this card and no other file than these, or the next free number."""
        for version in reversed(self.versions()):
            there = self.store.tagged(f"{self.key}/{version}/{CARD}")
            if there and there[0] == card and self._fits(version, sums):
                return version
        for _ in range(ROUNDS):
            version = max(self.versions(), default=0) + 1
            if self.store.swap(f"{self.key}/{version}/{CARD}", card, None):
                return version
        raise DamagedError(f"{self.key}: no number is free", usually="the store lists objects that it does not have")

    def _fits(self, version: int, sums: dict[str, File]) -> bool:
        """Whether what is there of a version is of these files."""
        for name, expected in sums.items():
            try:
                self._compare(version, name, expected)
            except MissingError:  # the upload was cut off before it
                pass
            except DamagedError:
                return False
        return self.manifest(version) in (None, sums)

    def _compare(self, version: int, name: str, expected: File, into: Path | None = None) -> None:
        """Read a file of a version, also to `into`; raises DamagedError when it is another one."""
        key, total = f"{self.key}/{version}/{name}", hashlib.sha256()
        with contextlib.suppress(DamagedError), (into or Path(os.devnull)).open("wb") as out:  # another size
            for piece in self.store.pieces(key, 0, expected.size, expected.size):
                total.update(piece)
                out.write(piece)
        if total.hexdigest() != expected.sha256:
            raise _other(key)


def _other(key: str) -> DamagedError:
    return DamagedError(
        f"{printable(key)} holds other bytes than were promoted",
        usually="two candidates of one run, or a fault of the store",
        next_step="train anew: versions are written once.",
    )
