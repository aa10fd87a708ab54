"""`spark-node datasets` as a process: what it prints, with what it exits, what it leaves for Prometheus."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.workloads.datasets.serving import NAME, PROJECT, contents, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.datasets.serving import Mirror


def test_a_folder_is_published_mirrored_and_told(mirror: Mirror, tmp_path: Path) -> None:
    """The three verbs, for people and as data; metrics that a collector reads."""
    prom = tmp_path / "metrics" / "datasets.prom"
    mirror.settings = {"metrics": str(prom)}
    source = write(tmp_path / "source", {"a": b"1", "b/c": b"22"})

    published = mirror.run("publish", NAME, str(source), "--version", "v1")
    synced = mirror.run("sync")
    again = json.loads(mirror.run("sync", "--json").stdout)
    told = json.loads(mirror.run("status", "--json").stdout)
    shown = mirror.run("status").stdout

    assert (published.returncode, synced.returncode) == (0, 0)
    assert f"{NAME} v1: 2 files, 3 bytes; 2 fetched" in synced.stderr
    assert (again[0]["fetched_files"], again[0]["exit_code"]) == (0, 0)
    assert (told["sets"][NAME]["current"], told["sets"][NAME]["last"]["success"]) == ("v1", True)
    assert f"{NAME}: serves v1 (wanted: latest), 2 files" in shown
    assert f'sparkfleet_dataset_info{{dataset="{NAME}",version="v1"}} 1' in prom.read_text()
    assert f'sparkfleet_dataset_sync_success{{dataset="{NAME}"}} 1.000' in prom.read_text()
    assert contents(mirror.current) == contents(source)


def test_a_failure_is_told_in_words_metrics_and_the_exit_code(mirror: Mirror, tmp_path: Path) -> None:
    """The metric keeps since when nothing has been whole."""
    prom = tmp_path / "datasets.prom"
    mirror.settings = {"metrics": str(prom)}

    done = mirror.run("sync")

    assert done.returncode == 9
    assert "spark-node: nothing of mix has been published" in done.stderr
    assert f'sparkfleet_dataset_sync_success{{dataset="{NAME}"}} 0.000' in prom.read_text()
    assert "sparkfleet_dataset_synced_timestamp_seconds{" not in prom.read_text()
    assert "the last sync failed: nothing of mix" in mirror.run("status").stdout


def test_a_wrong_key_is_told_without_it(mirror: Mirror) -> None:
    """Whose key it is, not what it is."""
    mirror.key_file.write_text(json.dumps({"Version": 1, "AccessKeyId": "nobody", "SecretAccessKey": "hidden-word"}))

    done = mirror.run("sync")

    assert done.returncode == 9
    assert "refuses this key" in done.stderr
    assert "hidden-word" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sync", "nothing-like-it"], 3, "no such data set here (described: mix)"),
        (["publish", NAME, "/nowhere", "--version", "v1"], 3, "/nowhere is no folder"),
        (["publish", NAME, "/", "--version", "current"], 3, "cannot name a version"),
        (["sync", "--no-such-flag"], 2, "No such option"),
    ],
)
def test_a_wrong_word_is_told_with_its_code(mirror: Mirror, words: list[str], code: int, said: str) -> None:
    """One table of exit codes: workloads/errors.py."""
    done = mirror.run(*words)

    assert (done.returncode, said in done.stderr) == (code, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plain: plain.pop("folder"), "'folder' is missing"),
        (lambda plain: plain.update(connections=0), "connections: expected a whole number from 1 on"),
        (lambda plain: plain.update(sets={"../x": {"bucket": "b"}}), "cannot name a data set"),
        (lambda plain: plain["sets"][NAME].update(version="../1"), "cannot name a version"),
    ],
)
def test_a_wrong_file_is_told_with_its_key(mirror: Mirror, change: Any, said: str) -> None:
    """And its path."""
    plain = mirror.plain
    change(plain)
    file = mirror.key_file.with_name("wrong.json")
    file.write_text(json.dumps(plain))

    words = [sys.executable, "-m", "workloads", "datasets", "status", "--config", str(file)]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, said in done.stderr, str(file) in done.stderr) == (3, True, True)


def test_help_imports_neither_the_engine_nor_rich() -> None:
    """They come when a verb is called."""
    code = "import sys, workloads.cli; print([m for m in ('obstore', 'rich', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
