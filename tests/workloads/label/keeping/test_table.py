"""Every kind of file of a workspace is kept, or named as one that can be made again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.label.keeping.kept import every_kind
from workloads.label import workspace
from workloads.label.keeping.table import KEPT, MADE_AGAIN, Kind, kept, kind

RUN, DIGEST = "20261121T204500Z-1f3a", "9f" * 32


def test_every_kind_of_the_workspaces_own_list_is_decided() -> None:
    """The list that heads workspace.py names folders and files; none of them is unknown here."""
    table = (workspace.__doc__ or "").split("\n\n")[1]
    first = [line.split()[0] for line in table.splitlines()]
    files = [name for name in first if not name.endswith("/")]
    inside = {
        line.split()[0]: re.findall(r"[a-z-]+\.(?:jsonl|json|onnx|html)", line)
        for line in table.splitlines() if line.split()[0].endswith("/")
    }  # fmt: skip
    paths = [*files, *(f"{folder}{name}" for folder, names in inside.items() for name in names)]
    paths = [re.sub(r"<\w+>", "v001" if path.startswith("test-sets") else "one", path) for path in paths]

    assert len(paths) > 15
    assert not [path for path in paths if kind(path) is Kind.UNKNOWN]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("reviews.jsonl", Kind.KEPT),
        ("test-sets/v012/reviews.jsonl", Kind.KEPT),
        ("test-sets/.partial/reviews.jsonl", Kind.MADE_AGAIN),
        (f"candidates/{RUN}/card.json", Kind.KEPT),
        (f"candidates/{RUN}/model.onnx", Kind.MADE_AGAIN),
        (f"candidates/{RUN}/model/model.safetensors", Kind.MADE_AGAIN),
        (f"candidates/.training/{DIGEST}/card.json", Kind.MADE_AGAIN),
        (f"comparisons/.models/{DIGEST}/said-v001.json", Kind.MADE_AGAIN),
        (f"runs/{RUN}/run.json", Kind.KEPT),
        (f"runs/{RUN}/campaign.html", Kind.KEPT),
        (f"runs/{RUN}/fetch.log", Kind.MADE_AGAIN),
        (".reviews.jsonl.4711", Kind.MADE_AGAIN),
        (f"runs/{RUN}/.run.json.4711", Kind.MADE_AGAIN),
        (f"texts/{DIGEST}.txt", Kind.MADE_AGAIN),
        ("token", Kind.UNKNOWN),
        ("deep/reviews.jsonl", Kind.UNKNOWN),
    ],
)
def test_what_becomes_of_a_file(path: str, wanted: Kind) -> None:
    """By its place, not its name alone; what is not known is not sent anywhere."""
    assert kind(path) is wanted


def test_no_pattern_is_both_or_idle() -> None:
    """A path of each pattern is what its table says."""
    paths = every_kind()

    assert len(paths) > 20
    assert {kind(path) for path in paths} == {Kind.KEPT, Kind.MADE_AGAIN}
    assert not set(KEPT) & set(MADE_AGAIN)


@given(st.text(min_size=1))
def test_no_path_is_kept_but_by_the_table(path: str) -> None:
    """Whatever a file is called: what is kept begins with a word of the table."""
    assert not kept(path) or path.split("/", maxsplit=1)[0] in {pattern.split("/")[0] for pattern in KEPT}
