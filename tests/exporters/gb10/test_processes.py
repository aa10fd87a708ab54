"""Who uses the GPU's memory: control groups become names, sums stay right, and no process table grows the series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporters.gb10.collectors import processes as collector
from exporters.gb10.readings import processes
from exporters.gb10.readings.nvml import Gpu, Processes, Sample
from exporters.gb10.sources.processes import KEPT_S, Owners
from exporters.web.exposition import exposition

if TYPE_CHECKING:
    from pathlib import Path

ID = "4f1b6c0a9d3e" + "0123456789abcdef" * 3 + "beef"
SESSION = "0::/user.slice/user-1000.slice"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
files = st.fixed_dictionaries({}, optional={"cgroup": texts, "comm": texts})
tables = st.dictionaries(st.integers(1, 2**22), st.tuples(st.integers(1, 2**40), files), max_size=40)


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        ("0::/system.slice/ollama.service\n", "ollama.service"),
        ("0::/system.slice/system-vllm.slice/vllm@8000.service\n", "vllm@8000.service"),
        (f"0::/system.slice/docker-{ID}.scope\n", "container:4f1b6c0a9d3e"),
        (f"0::/docker/{ID}\n", "container:4f1b6c0a9d3e"),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", "container:4f1b6c0a9d3e"),
        (f"{SESSION}/user@1000.service/user.slice/libpod-{ID}.scope/container\n", "container:4f1b6c0a9d3e"),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", "container:4f1b6c0a9d3e"),
        (f"0::/kubepods/besteffort/pod1/{ID}\n", "container:4f1b6c0a9d3e"),
        ("0::/machine.slice/machine-spark1.scope/payload/system.slice/vllm.service\n", "container:spark1"),
        ("0::/machine.slice/systemd-nspawn@spark1.service/payload\n", "container:spark1"),
        (f"{SESSION}/session-3.scope\n", "user-1000.slice"),
        (f"{SESSION}/user@1000.service/app.slice/app-org.gnome.Terminal-4711.scope\n", "user-1000.slice"),
        (f"{SESSION}/user@1000.service/app.slice/llama.service\n", "llama.service"),
        (f"{SESSION}/user@1000.service/init.scope\n", "user-1000.slice"),
        ("0::/system.slice/gone.service (deleted)\n", "gone.service"),
        ("12:pids:/a\n1:name=systemd:/system.slice/old.service\n0::/\n", "old.service"),
        ("0::/init.scope\n", "init.scope"),
        ("0::/\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_control_group_names_what_a_person_runs(cgroup: str, expected: str) -> None:
    """Containers by their short id, services by name, a person's programs by the person, else `unknown`."""
    assert processes.unit(cgroup) == expected


@given(texts)
def test_any_control_group_has_a_name(cgroup: str) -> None:
    """No text fails, and none gives an empty name."""
    assert processes.unit(cgroup)


@given(tables, st.integers(0, 2**40))
def test_a_hostile_process_table_is_a_few_series_with_the_right_sum(
    table: dict[int, tuple[int, dict[str, str]]], rest: int
) -> None:
    """At most 16 series whatever the names are, and together they are the memory of all processes."""
    of = Processes(len(table), len(table), {pid: size for pid, (size, _) in table.items()}, rest)
    found = processes.memory_by_owner(of, {pid: names for pid, (_, names) in table.items()})
    assert len(found) <= 16
    assert sum(found.values()) == sum(size for size, _ in table.values()) + rest
    assert all(size > 0 for size in found.values())


def test_the_largest_are_told_and_the_rest_is_other() -> None:
    """Of 20 programs the 15 largest have a series; with 16 there is no `other`."""
    names = {pid: {"cgroup": "", "comm": f"program{pid}\n"} for pid in range(1, 21)}
    twenty = processes.memory_by_owner(Processes(20, 20, {pid: pid for pid in names}, 100), names)
    assert ("unknown", "program6") in twenty
    assert ("unknown", "program5") not in twenty
    assert twenty["other", "other"] == 1 + 2 + 3 + 4 + 5 + 100
    sixteen = processes.memory_by_owner(Processes(16, 16, {pid: pid for pid in range(1, 17)}, 0), names)
    assert len(sixteen) == 16
    assert ("other", "other") not in sixteen


@given(tables)
def test_no_program_can_forge_a_series(table: dict[int, tuple[int, dict[str, str]]]) -> None:
    """Quotes, backslashes and line ends in a program's name stay within its label: what is parsed is what was told."""
    of = Processes(len(table), 0, {pid: size for pid, (size, _) in table.items()}, 0)
    names = {pid: names for pid, (_, names) in table.items()}
    text = exposition(collector.families(Sample("1", (Gpu(0, up=True, processes=of),)), names))
    (memory, *others) = text_string_to_metric_families(text)
    assert [family.name for family in others][-1:] == ["sparkfleet_gb10_gpu_compute_processes"] or not table
    if table:
        told = {(each.labels["unit"], each.labels["process"]): each.value for each in memory.samples}
        assert told == processes.memory_by_owner(of, names)


def test_a_gpu_that_lists_no_processes_has_no_series() -> None:
    """Neither a zero nor a name; nor is there any without a sample."""
    assert list(collector.families(Sample("1", (Gpu(0, up=True),)), {})) == []
    assert list(collector.families(None, {})) == []


def test_files_are_read_as_far_as_they_are_there(tmp_path: Path) -> None:
    """A process that is gone has no texts, and bytes that are not UTF-8 do no harm."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7/comm").write_bytes(b"\xff\n\n")
    assert Owners(tmp_path).texts([7, 8]) == {7: {"comm": "\ufffd\n\n"}, 8: {}}


def test_a_new_name_is_seen_after_a_while(tmp_path: Path) -> None:
    """A program's name is read again when its time is over, or at once when nobody asked for it in between."""
    now = 0.0
    owners = Owners(tmp_path, lambda: now)
    (tmp_path / "7").mkdir()
    (tmp_path / "7/comm").write_text("python")
    assert owners.texts([7])[7]["comm"] == "python"
    (tmp_path / "7/comm").write_text("VLLM")
    now = KEPT_S - 1
    assert owners.texts([7])[7]["comm"] == "python"
    now = KEPT_S
    assert owners.texts([7])[7]["comm"] == "VLLM"
    (tmp_path / "7/comm").write_text("other")
    owners.texts([])
    assert owners.texts([7])[7]["comm"] == "other"
