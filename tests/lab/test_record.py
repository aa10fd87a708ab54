"""Processes of a lab are found again by id and start time, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import record, spark
from lab.errors import LabError
from lab.instance import Instance
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """A lab whose record lies in a folder of the test."""
    monkeypatch.setattr(record, "RUN", tmp_path / "run")
    return Instance("test", 1, tmp_path)


def test_a_started_process_is_alive_under_its_label_until_it_is_stopped(instance: Instance, tmp_path: Path) -> None:
    """Start, see, stop, gone, forgotten."""
    record.start(instance, "sleeper", ["sleep", "60"], tmp_path / "log")
    pid = record.alive(instance, "sleeper")
    assert pid
    assert (tmp_path / "run/test/processes/sleeper").exists()
    record.stop(instance, "sleeper")
    assert record.start_time(pid) is None
    assert record.labels(instance) == []


def test_a_stand_in_that_was_never_made_is_not_called_off(instance: Instance) -> None:
    """Whoever mistypes a name is told so, not how to boot it."""
    with pytest.raises(LabError, match="has no spark-09"):
        spark.tree(instance, "spark-09")

    instance.host("spark-01").mkdir(parents=True)
    with pytest.raises(LabError, match="spark-01 is off"):
        spark.tree(instance, "spark-01")


def test_what_a_process_says_goes_to_its_log_and_the_environment_is_added(instance: Instance, tmp_path: Path) -> None:
    """Secrets come by the environment, so they are on no command line."""
    record.start(instance, "speaker", ["sh", "-c", 'echo "$WORD"'], tmp_path / "log", {"WORD": "hello"})
    until(lambda: not record.alive(instance, "speaker"), "its end")
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_process_that_ignores_the_request_is_killed(instance: Instance, tmp_path: Path) -> None:
    """After its patience, `stop` does not ask any more."""
    ready = tmp_path / "ready"
    words = ["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"]
    record.start(instance, "stubborn", words, tmp_path / "log")
    pid = record.alive(instance, "stubborn")
    until(ready.exists, "a process that ignores SIGTERM")
    record.stop(instance, "stubborn", patience_s=0.3)
    assert pid
    assert record.start_time(pid) is None


def test_another_process_that_got_the_same_id_is_left_alone(instance: Instance) -> None:
    """The start time tells them apart."""
    with subprocess.Popen(["sleep", "60"]) as other:
        entry = record.folder(instance) / "processes" / "old"
        entry.parent.mkdir(parents=True)
        entry.write_text(f"{other.pid} 1\n")
        assert record.alive(instance, "old") is None
        record.stop(instance, "old")
        assert other.poll() is None
        other.kill()


def test_this_process_itself_is_never_stopped(instance: Instance) -> None:
    """Tests are recorded and remove their own lab."""
    record.note_self(instance, "tests")
    assert record.alive(instance, "tests") == os.getpid()
    record.stop(instance, "tests")


@pytest.mark.parametrize("line", ["", "12", "x 4", "12 5 6"])
def test_a_record_that_was_cut_short_names_nobody(line: str) -> None:
    """A crash of the machine may leave half a line."""
    assert record.parse(line) is None


def test_a_second_checkout_is_told_who_has_the_lab(instance: Instance, tmp_path: Path) -> None:
    """Addresses are fixed, so two checkouts cannot have the same lab at once."""
    record.claim(instance)
    record.claim(instance)
    with pytest.raises(LabError, match=str(tmp_path)):
        record.claim(Instance("test", 1, tmp_path / "elsewhere"))
