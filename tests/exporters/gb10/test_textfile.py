"""Files that other programs leave → their metrics beside the exporter's own, and nothing of a file that is wrong."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.gb10.host_parts import textfile_part
from exporters.gb10.parts import Asked, Outcome
from exporters.gb10.sources.textfiles import MOST_BYTES, MOST_FILES
from exporters.web.exposition import exposition

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exporters.gb10.conftest import Machine

GOOD = '# HELP rotation_due When.\n# TYPE rotation_due gauge\nrotation_due{kind="ssh"} 1.7e+09\n'
WRONG = {
    "cut off": "a 1\nb 12",
    "no number": "a one\n",
    "no metrics at all": "<html>\n",
    "labels that are none": "a{x=1} 1\n",
    "a label twice": 'a{x="1",x="2"} 1\n',
    "a type that is none": "# TYPE a bogus\na 1\n",
    "a timestamp": "a 1 1700000000000\n",
    "a series twice": 'a{x="1"} 1\na{x="1"} 2\n',
    "a metric in two places": "a 1\nb 1\na 2\n",
    "a name of the exporter's": "sparkfleet_gb10_nvml_up 0\n",
    "a name of its process": "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\n",
    "a name of Prometheus'": "up 1\n",
    "a name that is none": '{"utf é"} 1\n',
    "too many samples": "".join(f'a{{x="{number}"}} 1\n' for number in range(2001)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good file."""
    (tmp_path / "good.prom").write_text(GOOD)
    return tmp_path


def told(folder: Path) -> Outcome:
    """What the collector says of the folder."""
    return Asked("textfile", textfile_part(folder)).outcome()


def errors(outcome: Outcome) -> dict[str, float]:
    """File → whether it could not be used."""
    [family] = [f for f in outcome.families if f.name == "sparkfleet_gb10_textfile_error"]
    return {sample.labels["file"]: sample.value for sample in family.samples}


def test_a_file_is_told_as_it_stands(folder: Path) -> None:
    """Name, help, type, labels and value come through; the file's age stands beside it."""
    os.utime(folder / "good.prom", (0, 1_700_000_000))

    outcome = told(folder)

    assert outcome.success
    assert outcome.text.startswith(GOOD)
    assert 'sparkfleet_gb10_textfile_mtime_seconds{file="good.prom"} 1.7e+09\n' in outcome.text
    assert errors(outcome) == {"good.prom": 0}


@pytest.mark.parametrize("why", WRONG)
def test_a_wrong_file_is_not_told_at_all(folder: Path, why: str) -> None:
    """Nothing of it is told, its error is 1, the collector has failed, and the good file is heard."""
    (folder / "wrong.prom").write_text(WRONG[why])

    outcome = told(folder)

    assert not outcome.success
    assert errors(outcome) == {"good.prom": 0, "wrong.prom": 1}
    assert {f.name for f in outcome.families if not f.name.startswith("sparkfleet_gb10_")} == {"rotation_due"}


def test_what_is_no_readable_file_is_not_waited_for(folder: Path) -> None:
    """A pipe, a folder, a huge file, bytes that are no text and a link to nowhere are told as errors at once."""
    os.mkfifo(folder / "pipe.prom")
    (folder / "folder.prom").mkdir()
    (folder / "huge.prom").write_bytes(b"a" * (MOST_BYTES + 1))
    (folder / "bytes.prom").write_bytes(b"\xff\xfe\n")
    (folder / "link.prom").symlink_to(folder / "nowhere")

    assert errors(told(folder)) == {
        "good.prom": 0, "pipe.prom": 1, "folder.prom": 1, "huge.prom": 1, "bytes.prom": 1, "link.prom": 1,
    }  # fmt: skip


def test_other_names_are_not_looked_at(folder: Path) -> None:
    """Files that are being written, notes, and names that make no label."""
    for name in (".good.prom.unfinished", ".hidden.prom", "notes.txt", 'a"b.prom', "a\nb.prom"):
        (folder / name).write_text("broken")

    assert errors(told(folder)) == {"good.prom": 0}


def test_of_two_files_with_one_metric_the_first_is_told(folder: Path) -> None:
    """Otherwise Prometheus would refuse the whole scrape."""
    (folder / "later.prom").write_text(GOOD.replace("1.7e+09", "5"))

    outcome = told(folder)

    assert errors(outcome) == {"good.prom": 0, "later.prom": 1}
    assert 'rotation_due{kind="ssh"} 1.7e+09' in outcome.text


def test_a_folder_full_of_files_has_a_limit(tmp_path: Path) -> None:
    """The first 32 are told, the rest are errors: nobody makes the scrape grow without end."""
    for number in range(MOST_FILES + 3):
        (tmp_path / f"f{number:03d}.prom").write_text(f"m{number} 1\n")

    assert sum(errors(told(tmp_path)).values()) == 3


def test_every_type_is_told_as_prometheus_reads_it(tmp_path: Path) -> None:
    """Counters, histograms and summaries read back as they were written."""
    text = (
        "# HELP c_total A.\n# TYPE c_total counter\nc_total 3.0\n"
        '# HELP h B.\n# TYPE h histogram\nh_bucket{le="1.0"} 1.0\nh_bucket{le="+Inf"} 2.0\nh_count 2.0\nh_sum 3.0\n'
        '# HELP s C.\n# TYPE s summary\ns{quantile="0.5"} 1.0\ns_count 2.0\ns_sum 3.0\n'
    )
    (tmp_path / "all.prom").write_text(text)

    families = [f for f in told(tmp_path).families if not f.name.startswith("sparkfleet_gb10_")]

    assert exposition(families) == text
    assert [f.type for f in text_string_to_metric_families(text)] == ["counter", "histogram", "summary"]


def test_the_flag_turns_it_on(machine: Machine, folder: Path) -> None:
    """Off without a folder; with one the metrics stand in the exposition, once, and the collector is told."""
    for value, expected in ((str(folder), 1), ("", 0)):
        command = [*machine.command, "--once", f"--collector.textfile.directory={value}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=machine.environment)

        assert done.stdout.count("\nrotation_due{") == expected
        assert len(re.findall(r'collector_success{collector="textfile"} 1', done.stdout)) == expected
