"""What separates a folder from a manifest is named, and mending just that makes them one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from workloads.datasets.manifest import Entry, Manifest
from workloads.datasets.tree import Found, Tree, difference, folders_of, look

if TYPE_CHECKING:
    from pathlib import Path

words = st.sampled_from(["a", "b", "c"])
files = st.dictionaries(
    st.lists(words, min_size=1, max_size=3).map(lambda names: "/".join([*(f"d{n}" for n in names[:-1]), names[-1]])),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
)


@given(files, files)
def test_mending_what_differs_makes_them_one(
    wanted: dict[str, tuple[int, int]], there: dict[str, tuple[int, int]]
) -> None:
    """Bring what is wrong, remove what is extra, then empty folders: nothing is left to do."""
    manifest = Manifest("v", "", {p: Entry(size, time, ("0" * 64,), p) for p, (size, time) in wanted.items()})
    tree = Tree({path: Found(*told) for path, told in there.items()}, folders_of(dict.fromkeys(there)))

    found = difference(manifest, tree)
    left = {path: each for path, each in tree.files.items() if path not in found.extra}
    left |= {path: Found(*wanted[path]) for path in found.wrong}
    folders = (tree.folders - set(found.folders)) | folders_of(manifest.files)

    assert not difference(manifest, Tree(left, folders))
    assert all(not path.startswith(f"{gone}/") for gone in found.folders for path in left)
    assert bool(found) == (wanted != there)


def test_a_link_is_never_the_file_that_it_leads_to(tmp_path: Path) -> None:
    """Else somebody's link out of the folder would pass for a file of the data set."""
    (tmp_path / "real").write_bytes(b"x")
    told = (tmp_path / "real").stat()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a").symlink_to(tmp_path / "real")

    tree = look(inside)

    entry = Entry(told.st_size, tree.files["a"].mtime_ns, ("0" * 64,), "a")
    assert difference(Manifest("v", "", {"a": entry}), tree).wrong == ("a",)
