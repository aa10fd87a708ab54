"""project.toml, label.json and the files between the stages: what is refused, and what survives a kill."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import ConfigError, DamagedError, LockedError
from workloads.label import params, site
from workloads.label.records import Span
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

GOOD = 'name = "contracts"\nlabels = ["PARTY", "DATE"]\n[source]\nfolder = "documents"\n'


def project(folder: Path, text: str) -> params.Params:
    """The project that the text describes."""
    (folder / params.FILE).write_text(text)
    return params.load(folder)


def test_a_project_needs_three_words(tmp_path: Path) -> None:
    """Name, labels and source are enough; paths are those of its folder."""
    read = project(tmp_path, GOOD)
    assert (read.name, read.labels, read.folder) == ("contracts", ["PARTY", "DATE"], tmp_path)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Each with its path in the file, before anything is touched."""
    wrong = 'name = "No Spaces"\nlabels = ["A", "A"]\nwhat = 1\n[source]\n[gate]\nconfidence = 2\n'
    with pytest.raises(ConfigError) as told:
        project(tmp_path, wrong)
    for path in ("name:", "labels:", "what:", "source:", "gate.confidence:"):
        assert f"\n  {path} " in told.value.what


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[gate]\nfloors = { TERM = 0.5 }", "not among labels: TERM"),
        ("[publish]\ntest_share = 0.6\ncontrol_share = 0.5", "together below 1"),
        ("[preannotate]\nwindow_tokens = 64\noverlap_tokens = 40", "less than half of window_tokens"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    """Two settings that are right alone may be wrong together."""
    with pytest.raises(ConfigError, match=said):
        project(tmp_path, GOOD + lines)


def test_a_label_named_all_is_refused(tmp_path: Path) -> None:
    """It would stand where the figures over every label stand."""
    with pytest.raises(ConfigError, match="'all' is what"):
        project(tmp_path, GOOD.replace("DATE", "all"))


def test_a_site_says_what_is_missing(tmp_path: Path) -> None:
    """No file: what to do about it; a wrong one: every fault."""
    with pytest.raises(ConfigError, match="role label"):
        site.load(tmp_path / "label.json")
    file = tmp_path / "label.json"
    file.write_text(json.dumps({"label_studio": {"url": "ftp://x"}, "models": {}}))
    with pytest.raises(ConfigError) as told:
        site.load(file)
    for path in ("label_studio.url", "label_studio.token_file", "models.bucket"):
        assert f"\n  {path}: " in told.value.what


SPANS = st.builds(
    lambda start, length, label: Span(start=start, end=start + length, label=label),
    st.integers(0, 10**6), st.integers(1, 1000), st.text(min_size=1, max_size=20),
)  # fmt: skip


@given(st.lists(SPANS, max_size=8), st.lists(SPANS, max_size=8), st.binary(max_size=30))
def test_a_line_that_was_cut_off_costs_nothing_but_itself(
    tmp_path_factory: pytest.TempPathFactory, before: list[Span], after: list[Span], cut: bytes
) -> None:
    """Whatever a dying writer left behind the last line's end is no record, and the next one begins on its own line."""
    work = Workspace(tmp_path_factory.mktemp("work"))
    work.append("spans.jsonl", before)
    with work.path("spans.jsonl").open("ab") as out:
        out.write(cut.replace(b"\n", b""))
    assert work.read(Span, "spans.jsonl") == before
    work.append("spans.jsonl", after)
    assert work.read(Span, "spans.jsonl") == before + after


def test_a_damaged_line_is_told_with_its_number(tmp_path: Path) -> None:
    """File, line and what is wrong with it."""
    (tmp_path / "spans.jsonl").write_text('{"start":0,"end":1,"label":"A"}\n{"start":5,"end":5,"label":"A"}\n')
    with pytest.raises(DamagedError, match=r"spans\.jsonl, line 2: .*ends at 5"):
        Workspace(tmp_path).read(Span, "spans.jsonl")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """The second one is told who has the project; after the first it may."""
    work = Workspace(tmp_path / "contracts")
    with work.locked("run"), pytest.raises(LockedError, match="run, process"), work.locked("again"):
        pass
    with work.locked("later"):
        pass
