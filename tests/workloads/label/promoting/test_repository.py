"""Versions on a real store: whole or not there, never two with one number, never changed."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from workloads.datasets import store as engine
from workloads.errors import DamagedError, MissingModelError, StoreError
from workloads.label.promoting import served
from workloads.label.promoting.repository import fetch, serving
from workloads.label.records import ModelCard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.label.promoting.conftest import ModelStore

MODEL = "contracts"


def candidate(folder: Path, run: str) -> dict[str, Path]:
    """Files as a candidate has them."""
    folder.mkdir()
    content = {"card.json": f"card of {run}", "model.onnx": f"network of {run}" * 5000, "tokenizer.json": "words"}
    for name, text in content.items():
        (folder / name).write_text(text)
    return {name: folder / name for name in content}


def test_a_version_is_fetched_as_it_was_written(store: ModelStore, tmp_path: Path) -> None:
    """Bytes and names, in numbers that ascend; fetching it again asks nobody."""
    repository = store.repository(MODEL)
    files = [candidate(tmp_path / run, run) for run in ("r1", "r2")]

    assert [repository.add(each) for each in files] == [1, 2]
    got = fetch(store.models, MODEL, 2, tmp_path / "serving" / "2")
    assert {path.name: path.read_bytes() for path in got.iterdir() if path.name != "manifest.json"} == {
        name: path.read_bytes() for name, path in files[1].items()
    }
    store.kill()
    assert fetch(store.models, MODEL, 2, got) == got


def test_an_upload_that_was_cut_off_is_no_version_and_goes_on_under_its_number(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store dies behind the card: another candidate takes the next number, the same one its own."""
    monkeypatch.setitem(engine.RETRY, "max_retries", 0)
    repository, first = store.repository(MODEL), candidate(tmp_path / "r1", "r1")
    put = repository.store.put

    def dies(key: str, content: Path, *, new: bool = False) -> bool:
        if key.endswith("model.onnx"):
            store.kill()
        return put(key, content, new=new)

    with monkeypatch.context() as patched:
        patched.setattr(repository.store, "put", dies)
        with pytest.raises(StoreError, match="when it answers again"):
            repository.add(first)
    store.start()
    with pytest.raises(MissingModelError, match="no version 1"):
        fetch(store.models, MODEL, 1, tmp_path / "serving" / "1")

    assert repository.add(candidate(tmp_path / "r2", "r2")) == 2
    assert repository.add(first) == 1
    assert fetch(store.models, MODEL, 1, tmp_path / "serving" / "1").is_dir()


def test_two_candidates_at_once_get_two_numbers(store: ModelStore, tmp_path: Path) -> None:
    """The store lets one of them have each."""
    files = [candidate(tmp_path / f"r{number}", f"r{number}") for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda each: store.repository(MODEL).add(each), files))

    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


def test_a_version_never_changes(store: ModelStore, tmp_path: Path) -> None:
    """The same candidate, evaluated anew, is a version of its own; what is there stays, and is found again."""
    repository, files = store.repository(MODEL), candidate(tmp_path / "r1", "r1")
    files["evaluation.json"] = tmp_path / "r1" / "evaluation.json"
    texts, numbers = ["good", "better", "good", "better"], []
    for text in texts:
        files["evaluation.json"].write_text(text)
        numbers.append(repository.add(files))

    assert numbers == [1, 2, 1, 2]
    assert [repository.read(number, "evaluation.json").decode() for number in (1, 2)] == ["good", "better"]


@pytest.mark.parametrize("damage", [b"", b"x", b"y" * 75000])
def test_what_rots_in_the_bucket_is_never_served_from_here(store: ModelStore, tmp_path: Path, damage: bytes) -> None:
    """Shorter, longer or other bytes: nothing is put in its place."""
    store.repository(MODEL).add(candidate(tmp_path / "r1", "r1"))
    store.file(MODEL, "1", "model.onnx").write_bytes(damage)

    with pytest.raises(DamagedError, match="holds other bytes"):
        fetch(store.models, MODEL, 1, tmp_path / "serving" / "1")
    assert list((tmp_path / "serving").iterdir()) == []


def test_only_the_file_that_was_read_is_replaced(store: ModelStore) -> None:
    """config.pbtxt moves from the version that one knows of, or not at all; the same again is no change."""
    repository = store.repository(MODEL)
    texts = {version: served.render(MODEL, version, card()) for version in (1, 2, 3)}
    assert serving(store.models, MODEL) is None

    repository.point(texts[1], None)
    repository.point(texts[2], 1)
    repository.point(texts[2], 1)
    with pytest.raises(DamagedError, match="it names version 2"):
        repository.point(texts[3], 1)
    assert serving(store.models, MODEL) == 2
    repository.point(served.nothing(MODEL), 2)
    assert serving(store.models, MODEL) is None


def test_a_config_that_was_written_by_hand_is_told(store: ModelStore) -> None:
    """It is not taken for "nothing serves"."""
    store.repository(MODEL).store.put(f"serving/{MODEL}/config.pbtxt", b'backend: "onnxruntime"\n')

    with pytest.raises(DamagedError, match="one version by its number"):
        serving(store.models, MODEL)


def test_a_manifest_cannot_lead_out_of_the_folder(store: ModelStore, tmp_path: Path) -> None:
    """Whoever may write to the bucket writes nothing elsewhere on the hosts that fetch from it."""
    content = b"stolen"
    told = {"../../out": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}}
    for key, text in (("1/manifest.json", json.dumps({"files": told}).encode()), ("out", content)):
        store.repository(MODEL).store.put(f"serving/{MODEL}/{key}", text)

    with pytest.raises(DamagedError, match=r"manifest\.json cannot be read"):
        fetch(store.models, MODEL, 1, tmp_path / "serving" / "1")
    assert list(tmp_path.glob("**/out*")) == [store.file(MODEL, "out")]


def card() -> ModelCard:
    """Any."""
    return ModelCard.model_validate({
        "run": "r1", "project": MODEL, "labels": ["A"], "base": "b", "tokenizer_sha256": "0" * 64,
        "onnx_sha256": "0" * 64, "examples": 1, "synthetic": 0, "training_sha256": "0" * 64, "seed": 1, "epochs": 1,
        "temperature": 1, "max_tokens": 64, "parity": 0, "versions": {}, "trained_at": "2026-11-21T00:00:00Z",
    })  # fmt: skip
