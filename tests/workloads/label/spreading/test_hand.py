"""A share → the very stage, on this machine: each of its records comes back, with what lies beside it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.converting.conftest import label_python
from workloads.label.records import Converted, Document, Quarantined
from workloads.label.spreading import hand
from workloads.label.spreading.hand import ENDED, Hand, Order, Said

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = b'name = "p"\nlabels = ["PARTY"]\n[source]\nfolder = "."\n[convert]\nworkers = 1\n'
ORDER = Order("convert", {"converted.jsonl": ("texts/{document}.txt",), "quarantine.jsonl": ()})
TEXT = b"Acme rents a house to Ada Lovelace.\n"


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """This machine's; something of a dead one lies in its folder."""
    old = tmp_path / "work" / hand.FOLDER / "share" / "archive"
    old.mkdir(parents=True)
    (old / "old.txt").write_bytes(b"of a run that died")
    site = {"workspace": str(tmp_path / "work"), "artifacts": str(tmp_path), "python": str(label_python())}
    (tmp_path / "label.json").write_text(json.dumps(site))
    monkeypatch.setenv("SPARKFLEET_LABEL_SITE", str(tmp_path / "label.json"))
    monkeypatch.chdir(tmp_path)  # the hand goes into the share's folder
    return Hand(ORDER, {"project/project.toml": PROJECT})


def share(*texts: bytes) -> dict[str, bytes]:
    """Documents and their records."""
    files, records = {}, b""
    for text in texts:
        digest = hashlib.sha256(text).hexdigest()
        files[f"archive/{digest}/a.txt"] = text
        told = {"id": digest, "path": f"{digest}/a.txt", "size_bytes": len(text), "source": "archive"}
        records += Document(**told, fetched_at=dt.datetime.now(dt.UTC)).model_dump_json().encode() + b"\n"
    return files | {"work/p/documents.jsonl": records}


def test_a_share_is_done_by_the_stage_and_every_record_told_with_its_text(one: Hand, tmp_path: Path) -> None:
    """A text and a quarantine, each once; then the end; of the share before, nothing is left."""
    said = [each for batch in one.work(share(TEXT, b"")) for each in batch]
    by_file = {each.of: each for each in said}
    assert len(said) == len(by_file) == 3
    converted = Converted.model_validate_json(by_file["converted.jsonl"].line)
    assert by_file["converted.jsonl"].files == {converted.text: TEXT}
    assert Quarantined.model_validate_json(by_file["quarantine.jsonl"].line).document == hashlib.sha256().hexdigest()
    assert said[-1] == Said(ENDED, b"", {})
    assert not list(tmp_path.rglob("old.txt"))
    own = json.loads((tmp_path / "work" / hand.FOLDER / "share" / "site.json").read_text())
    assert own.keys() == {"workspace", "datasets", "artifacts", "python"}  # of no service


def test_what_stops_the_stage_comes_back_as_the_same_error(one: Hand) -> None:
    """A record that is none: DamagedError's exit code, its words, and which machine."""
    [[end]] = one.work({"work/p/documents.jsonl": b"no record\n"})
    error = hand.heard(end.line, "spark-02")
    assert error.exit_code == 20
    assert error.what.startswith("spark-02: convert: ")
    assert "documents.jsonl, line 1" in error.what
    assert error.next_step
