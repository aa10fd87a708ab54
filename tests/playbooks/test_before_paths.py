"""Originals → put back byte for byte, whatever stands in their place now; nothing of a person's is lost."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.playbooks.machine import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

UTILS = "ansible_collections.sparkfleet.host.plugins.module_utils"


@pytest.fixture(autouse=True, scope="module")
def _collection() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(COLLECTIONS))
        yield


def part(name: str) -> Any:
    """A program of the collection, as a module."""
    return importlib.import_module(f"{UTILS}.{name}")


def kinds() -> st.SearchStrategy[tuple[str, bytes, int]]:
    """What can stand at a path: kind, content or target, mode."""
    modes = st.sampled_from([0o600, 0o644, 0o755, 0o4750])
    return st.tuples(st.sampled_from(["absent", "file", "link", "folder"]), st.binary(max_size=40), modes)


def place(path: Path, kind: str, content: bytes, mode: int) -> None:
    """Put it there."""
    if kind == "file":
        path.write_bytes(content)
        path.chmod(mode)
    elif kind == "link":
        path.symlink_to(f"/nowhere/{content.hex()}")
    elif kind == "folder":
        path.mkdir()
        path.chmod(mode | 0o700)


@given(was=kinds(), then=kinds())
def test_whatever_stood_there_stands_there_again(was: tuple[str, bytes, int], then: tuple[str, bytes, int]) -> None:
    """A file, a link, an empty folder or nothing, after any other of them: the same content, mode, owner and time."""
    before, before_paths = part("before"), part("before_paths")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        place(path, *was)
        noted = before.state_of(str(path))
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            path.rmdir()
        place(path, *then)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(before_paths, "REMOVED", f"{folder}/removed")

            assert before_paths.make(str(path), noted)

        assert not before_paths.differs(noted, before.state_of(str(path)))
        assert before.state_of(str(path)).get("mtime_ns") == noted.get("mtime_ns") or noted["kind"] == "folder"


def test_a_folder_of_ours_with_something_in_it_is_left(tmp_path: Path) -> None:
    """What somebody put there since is not ours to delete."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made/theirs").write_text("x")

    assert not part("before_paths").make(str(tmp_path / "made"), {"kind": "absent"})
    assert (tmp_path / "made/theirs").exists()


def test_only_what_we_wrote_is_ours(tmp_path: Path) -> None:
    """By the digest that stands in the marker; an edited file is a person's, a secret's file is ours."""
    path = tmp_path / "x.conf"
    path.write_text("ours\n")
    before, ours = part("before"), part("before_paths").is_ours
    now = before.state_of(str(path))
    managed = {f"file:{path}": "f4e70e52d1e3f2f2 0644 root:root"}

    digest = hashlib.sha256(b"ours\n").hexdigest()[:16]
    assert ours(str(path), now, {f"file:{path}": f"{digest} 0644 root:root"}, {})
    assert not ours(str(path), now, managed, {})
    assert ours(str(path), now, {}, {str(path): {}})


MERGED = {"log-opts": {"max-size": "10m"}, "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}


@pytest.mark.parametrize(
    ("original", "now", "left"),
    [
        ('{\n  "log-opts": {"max-size": "10m"}\n}\n', MERGED, None),
        ('{ "log-opts" : {"max-size": "9m"} }', MERGED, '{"log-opts": {"max-size": "10m"}}'),
        (None, {"runtimes": {"nvidia": {"path": "x"}}}, None),
    ],
    ids=["only ours was added", "somebody changed another value since", "there was no file"],
)
def test_our_values_leave_a_file_of_somebody_elses(
    tmp_path: Path, original: str | None, now: dict[str, Any], left: str | None
) -> None:
    """The original byte for byte, or what people made of it since without our values."""
    path = tmp_path / "daemon.json"
    before, before_paths = part("before"), part("before_paths")
    if original is not None:
        path.write_text(original)
    was = before.state_of(str(path))
    path.write_text(json.dumps(now))

    wanted = before_paths.unmerged(str(path), was, ["/runtimes/nvidia"])

    if left is None:
        assert wanted == was
    else:
        assert json.loads(base64.b64decode(wanted["content"])) == json.loads(left)
