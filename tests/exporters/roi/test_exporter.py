"""The real exporter on figures that the real stage made, and on files that nobody should have written."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporters.roi import sources
from exporters.roi.readings import Sample, UnreadableError, samples
from sparkfleet.host.bundle import zipapp_bytes
from tests.exporters.roi.running import Running, key, values
from tests.exporters.roi.watched import kept, night
from tests.exporters.running import CHECKOUT
from tests.workloads.label.returns.archive import NOW, known, params
from workloads.label.recurring.record import State
from workloads.label.returns.figures import Known, figures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROI = figures(params(), known(), NOW)
TEXT = ROI.model_dump_json(indent=1)
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """An exporter on an empty workspace."""
    found = Running(tmp_path)
    yield found
    found.stop()


def test_the_figures_arrive_as_they_were_made(running: Running) -> None:
    """Of a model the latency is the one of its recorded timestamps; n stands beside the median."""
    running.put("contracts", TEXT)
    told = values(running.scrape())
    last = ROI.deliveries[-1]
    of = {"project": "contracts", "model": last.model}
    assert told[key("model_first_review_timestamp_seconds", **of)] == last.first_review_at.timestamp()
    assert told[key("model_serving_timestamp_seconds", **of)] == last.serving_at.timestamp()
    assert told[key("model_latency_seconds", **of)] == (last.serving_at - last.first_review_at).total_seconds()
    for group, times in ROI.groups.items():
        assert told[key("review_median_seconds", project="contracts", group=group.value)] == times.median_s
        assert told[key("reviews_timed", project="contracts", group=group.value)] == times.timed


def test_what_became_of_recurring_runs_arrives(running: Running) -> None:
    """Of a project without figures, too; one that never came to its end has no date of that."""
    failed = night("contracts", state=State.FAILED, done_at=None, gave_way=2)
    running.put_run("contracts", "learn", failed.model_dump_json())
    running.put_run("invoices", "learn", night("invoices").model_dump_json())
    running.put_run("damaged", "learn", "{}")
    told = values(running.scrape())
    of = {"project": "contracts", "run": "learn"}

    assert (told[key("recurring_failed", **of)], told[key("recurring_gave_way", **of)]) == (1, 2)
    assert told[key("recurring_since_timestamp_seconds", **of)] == failed.since.timestamp()
    assert key("recurring_done_timestamp_seconds", **of) not in told
    assert key("recurring_done_timestamp_seconds", project="invoices", run="learn") in told
    assert told[key("project_success", project="damaged")] == 0


def test_what_became_of_keeping_arrives(running: Running) -> None:
    """When all of it was kept last, and whether the last try failed; of a damaged note nothing but that."""
    good, never = kept("contracts"), kept("invoices", told="the store is away").model_copy(update={"kept_at": None})
    running.put_kept("contracts", good.model_dump_json())
    running.put_kept("invoices", never.model_dump_json())
    running.put_kept("damaged", "{}")
    told = values(running.scrape())

    assert good.kept_at
    assert told[key("kept_timestamp_seconds", project="contracts")] == good.kept_at.timestamp()
    assert told[key("kept_failed", project="contracts")] == 0
    assert (told[key("kept_failed", project="invoices")], told[key("project_success", project="damaged")]) == (1, 0)
    assert key("kept_timestamp_seconds", project="invoices") not in told


def test_what_is_not_known_is_absent(running: Running) -> None:
    """A project without reviews has a backlog and nothing that people's work would have to tell."""
    running.put("contracts", figures(params(hourly_cost=0.0), Known(), NOW).model_dump_json())
    told = {name for name, _ in values(running.scrape())}
    unknown = ("review", "comparison_speedup", "comparison_saved", "item_", "cost", "hourly", "held_out", "model_",
               "waiting_since", "forecast")  # fmt: skip
    assert not [name for name in told if name.startswith(unknown)]
    assert {"items", "month_open_items", "waiting_reviews"} <= told


def test_one_damaged_file_silences_no_other_project(running: Running) -> None:
    """It is told as such, and logged once; when it is whole again so is its project."""
    running.put("contracts", TEXT)
    running.put("invoices", TEXT[:-100])
    for _ in range(2):
        told = values(running.scrape())
        assert told[key("project_success", project="contracts")] == 1
        assert told[key("project_success", project="invoices")] == 0
        assert {dict(labels)["project"] for name, labels in told if name == "items"} == {"contracts"}
    assert running.log.read_text().count("invoices is not told") == 1
    running.put("invoices", TEXT.replace('"contracts"', '"invoices"', 1))
    assert values(running.scrape())[key("project_success", project="invoices")] == 1


def test_a_workspace_that_is_gone_is_told(running: Running) -> None:
    """The exporter answers, and says that it sees nothing."""
    assert values(running.scrape())[key("workspace_success")] == 1
    running.workspace.rmdir()
    assert values(running.scrape())[key("workspace_success")] == 0


def test_a_file_that_would_hang_or_never_end_is_not_read(tmp_path: Path) -> None:
    """A pipe, a device, a folder and a huge file are faults of their project; strange folders are none of ours."""
    for name in ("pipe", "device", "folder", "huge", "Strange", "fine", "empty"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe/roi.json")
    (tmp_path / "device/roi.json").symlink_to("/dev/zero")
    (tmp_path / "folder/roi.json").mkdir()
    (tmp_path / "huge/roi.json").write_bytes(b" " * (sources.MOST_BYTES + 1))
    for name in ("Strange", "fine"):
        (tmp_path / name / "roi.json").write_text("{}")
    found = sources.texts(tmp_path)
    assert {name for name, text in found.items() if isinstance(text, OSError)} == {"pipe", "device", "folder", "huge"}
    assert found["fine"] == "{}"
    assert found.keys() == {"pipe", "device", "folder", "huge", "fine"}


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON document."""
    yield path
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for at, value in inside:
        yield from places(value, (*path, at))


PLACES = [path for path in places(json.loads(TEXT)) if path]
ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})


@settings(max_examples=600)
@example(("at",), "0001-01-01T00:00:00+14:00")
@example(("documents",), 10**400)
@example(("currency",), [])
@example(("currency",), "\ud800")
@given(st.sampled_from(PLACES), ODD)
def test_an_odd_value_makes_a_fault_or_a_figure(path: tuple[Any, ...], odd: object) -> None:
    """Whatever stands anywhere in the file: finite samples, none of them twice, or UnreadableError."""
    roi = copy.deepcopy(json.loads(TEXT))
    inner = roi
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = odd
    try:
        found = samples(json.dumps(roi), "contracts")
    except UnreadableError:
        return
    assert len({(one.metric, one.labels) for one in found}) == len(found)
    assert all(isinstance(one, Sample) and abs(one.value) < float("inf") for one in found)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"format": 2}', "\ufffd", pytest.param("[" * 10**5, id="deep")]
)
def test_what_is_no_such_file_is_unreadable(text: str) -> None:
    """Empty, of another shape, of another format."""
    with pytest.raises(UnreadableError):
        samples(text, "contracts")


def test_a_number_without_end_is_no_figure() -> None:
    """JSON knows no infinity, but Python reads 1e999 as one."""
    with pytest.raises(UnreadableError, match="no number"):
        samples(TEXT.replace('"documents": 400', '"documents": 1e999'), "contracts")


def test_a_copy_in_another_project_s_folder_is_refused() -> None:
    """Or one project's figures would be told twice."""
    with pytest.raises(UnreadableError, match="another project's"):
        samples(TEXT, "invoices")


def test_packed_into_one_file_it_runs_alone(tmp_path: Path) -> None:
    """With the system's Python and nothing installed; --once prints what a scrape would say."""
    packed = tmp_path / "roi-exporter.pyz"
    packed.write_bytes(zipapp_bytes(CHECKOUT, "exporters.roi", ["prometheus_client"], ["exporters.web"]))
    (tmp_path / "label/contracts").mkdir(parents=True)
    (tmp_path / "label/contracts/roi.json").write_text(TEXT)
    command = [SYSTEM_PYTHON, "-I", str(packed), "--once", f"--path.workspace={tmp_path / 'label'}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    assert values(done.stdout)[key("project_success", project="contracts")] == 1


@pytest.mark.parametrize("flag", ["--web.listen-address=9811", "--web.config=x", "--path.workspac=/x"])
def test_a_senseless_flag_is_refused(flag: str) -> None:
    """Exit code 2 before anything runs."""
    done = subprocess.run([sys.executable, "-m", "exporters.roi", flag], check=False, capture_output=True, cwd=CHECKOUT)
    assert done.returncode == 2
