"""docs/metrics.md is what the collectors tell of every simulated machine, and no collector tells what it leaves out."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import Metric
from prometheus_client.process_collector import ProcessCollector

from exporters.gb10 import collectors as package
from exporters.gb10 import recorder
from exporters.gb10.collectors import UnreadableError, exporter
from exporters.gb10.parts import Outcome
from exporters.gb10.readings import nvml as readings
from exporters.gb10.reference import Entry, gather, page
from exporters.gb10.registry import collectors, health
from exporters.gb10.snapshot import Snapshot
from exporters.gb10.sources.host import Host
from exporters.gb10.sources.sampler_process import SamplerProgram
from exporters.web.server import Counts
from lab import gb10
from tests.exporters import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric as Family

    Seen = tuple[dict[str, Entry], list[str], set[str]]

CHECKOUT = Path(__file__).resolve().parents[3]
TITLE = "# Metrics of the GB10 exporter"
COLLECTORS = Path(package.__file__).parent
PRIVILEGED = CHECKOUT / "exporters/gb10/privileged.py"
AGE_S = 900.0  # every scenario has happened by then, and NVML answers again

# A machine that is no GB10: GPUs with memory of their own.
OTHER = "other GPUs"
OTHER_LINES = "nvmlDeviceGetMemoryInfo = 1000 250\n"


def machine_text(name: str) -> str:
    """The scenario of a machine."""
    return gb10.scenario("inference") + OTHER_LINES if name == OTHER else gb10.scenario(name)


def prepared(folder: Path, name: str, library: Path, program: SamplerProgram) -> Callable[[], dict[str, Any]]:
    """The machine's files in `folder`, what root tells of it included; returns its collectors."""
    environment = os.environ | {"GB10_FOLDER": str(folder), "PATH": f"{library}:{os.environ['PATH']}"}
    paths = [f"--procfs={folder / 'proc'}", f"--sysfs={folder / 'sys'}", f"--kmsg={folder / 'kmsg'}"]
    (folder / "state").mkdir()

    def oneshot(*more: str) -> None:
        command = [sys.executable, "-I", "-S", str(PRIVILEGED), f"--state={folder / 'state'}", *paths, *more]
        subprocess.run(command, check=True, env=environment)

    gb10.put(machine_text(name), folder)  # its first boot
    oneshot("--boot=begin")
    gb10.put(machine_text(name), folder, AGE_S)
    oneshot("--boot=begin")
    oneshot(f"--out={folder / 'privileged.json'}")
    clock = Counter[str]()
    snapshot = Snapshot(10.0, lambda: clock["s"], clock_cap_hertz=2e9)
    sampler = program.start()
    sample = readings.sample(sampler.line(20) or "")
    sampler.forget()
    for _ in range(90):  # the low-power state needs a minute
        clock["s"] += 1
        if isinstance(sample, readings.Sample):
            snapshot.put(sample)
    host = Host(folder / "proc", folder / "sys", folder / "root")
    (folder / "textfiles").mkdir()
    (folder / "textfiles/empty.prom").touch()
    return lambda: collectors(host, snapshot, folder / "privileged.json", folder / "textfiles")


def told(families: Callable[[], Any]) -> Iterator[Family]:
    """What a collector tells, up to where it fails."""
    try:
        yield from families()
    except UnreadableError:
        return


@pytest.fixture(scope="module")
def seen(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Every metric of every machine, the machines, and the places in the code where families were made."""
    places: set[str] = set()
    make = Metric.__init__

    def noted(self: Metric, *arguments: Any, **named: Any) -> None:
        frame = sys._getframe(1)
        while frame.f_back and not frame.f_code.co_filename.startswith(str(COLLECTORS)):
            frame = frame.f_back
        places.add(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        make(self, *arguments, **named)

    entries: dict[str, Entry] = {}
    machines = [*gb10.names(), OTHER]
    program = SamplerProgram(1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Metric, "__init__", noted)
        patch.setenv("LD_LIBRARY_PATH", str(built))
        for name in machines:
            folder = tmp_path_factory.mktemp("machine")
            patch.setenv("NVML_SCENARIO", str(folder / "scenario"))
            patch.setenv("NVML_SCENARIO_AGE", str(AGE_S))
            parts = prepared(folder, name, built, program)()
            for collector, part in parts.items():
                gather(entries, collector, told(part.families), name)
        web = Counts(Counter({200: 1}))
        for families in (
            health({"any": Outcome(duration_s=1.0, last_success=1.0)}),
            exporter.build_families(), exporter.web_families(web),
            exporter.recorder_families(recorder.Counts(last_write=1.0)), ProcessCollector(registry=None).collect(),
        ):  # fmt: skip
            told_of = list(families)
            for name in machines:
                gather(entries, "exporter", told_of, name)
    return entries, machines, places


def test_the_page_is_what_the_collectors_tell(seen: Seen, request: pytest.FixtureRequest) -> None:
    """`--update-golden` writes the section anew; the diff is then read by a person."""
    text = page(*seen[:2])
    if request.config.getoption("--update-golden"):
        reference.write(TITLE, text)
    assert text == reference.section(TITLE)


def test_no_metric_is_left_out(seen: Seen) -> None:
    """Some machine comes by every place in collectors/ that makes a family: no metric hides from the page."""
    made = set()
    for path in COLLECTORS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and re.search("MetricFamily$", ast.unparse(node.func)):
                made.add(f"{path.name}:{node.lineno}")
    assert made - seen[2] == set()


def test_every_name_is_of_one_collector_and_has_a_sensible_form(
    seen: Seen,
) -> None:
    """Ours or the process's own; counters end in _total, and nothing else does; a help text is a sentence."""
    for entry in seen[0].values():
        assert entry.name.startswith(("sparkfleet_gb10_", "process_"))
        assert (entry.kind == "counter") == entry.name.endswith("_total"), entry.name
        assert entry.documentation.endswith("."), entry.name
