"""A source, whatever lies in it, is known by its content; nothing outside it is ever read."""

from __future__ import annotations

import hashlib
import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.workloads.label.flow.projects import Project
from workloads.datasets.library import Shelf
from workloads.datasets.manifest import Entry, Manifest
from workloads.errors import ConfigError, DamagedError
from workloads.label import archive, flow
from workloads.label.records import Document, Quarantined

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.sampled_from(["a.txt", "b.pdf", "sub/a.txt", "sub/deep/c.html", "ß\n.md", ".hidden", "sub/.hid/x.txt"])
CONTENTS = st.binary(max_size=3)


def sha256(data: bytes) -> str:
    """How documents are called."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty source."""
    return Project(tmp_path / "here").write()


def documents(project: Project) -> dict[str, str]:
    """What was found: path → id."""
    return {each.path: each.id for each in project.work.read(Document, "documents.jsonl")}


def published(project: Project, version: str, files: dict[str, bytes]) -> None:
    """A version of the data set `mix`, as its sync leaves it."""
    shelf = Shelf(project.folder / "datasets" / "mix")
    folder = shelf.folder / version
    folder.mkdir(parents=True)
    entries = {}
    for name, data in files.items():
        (folder / name).write_bytes(data)
        mtime_ns = (folder / name).stat().st_mtime_ns
        entries[name] = Entry(len(data), mtime_ns, (sha256(data),), name)
    shelf.note(version, Manifest(version, "2026-11-21T17:00:00Z", entries).text())
    shelf.serve(version)


def test_the_same_bytes_are_one_document(project: Project) -> None:
    """Two names of one content are one document, under the name that comes first."""
    for name in ("b.txt", "a.txt"):
        (project.docs / name).write_text("same")

    assert project.fetch()["same_bytes"] == 1
    assert documents(project) == {"a.txt": sha256(b"same")}


def test_what_did_not_change_is_not_read(project: Project) -> None:
    """A second look reads nothing; a changed file is a new document, and the old one stays known."""
    (project.docs / "a.txt").write_text("one")
    first, second = project.fetch(), project.fetch()
    (project.docs / "a.txt").write_text("two!")
    third = project.fetch()

    assert [told["read_bytes"] for told in (first, second, third)] == [3, 0, 4]
    assert (third["new"], third["documents"], third["gone"]) == (1, 2, 1)


def test_nothing_outside_the_source_is_read(project: Project) -> None:
    """Links to files and folders, sockets, pipes and devices are left out and counted; none of them makes us wait."""
    secret = project.folder / "secret.txt"
    secret.write_text("secret")
    (project.docs / "link.txt").symlink_to(secret)
    (project.docs / "folder").symlink_to(project.folder)
    os.mkfifo(project.docs / "pipe")
    os.mknod(project.docs / "null", 0o600 | 0o020000, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(project.docs / "socket"))
        told = project.fetch()

    assert (told["new"], told["left_out"]) == (0, "1 device, 2 link, 1 pipe, 1 socket")


def test_a_name_that_is_no_text_is_set_aside(project: Project) -> None:
    """It cannot stand in a record: quarantine says so, once, until somebody renames the file."""
    bad = os.fsencode(project.docs) + b"/caf\xe9.txt"
    with open(bad, "wb") as file:  # noqa: PTH123  (a name of bytes)
        file.write(b"coffee")
    project.fetch()
    project.fetch()
    (aside,) = project.work.read(Quarantined, "quarantine.jsonl")
    os.rename(bad, project.docs / "café.txt")  # noqa: PTH104
    project.fetch()

    assert (aside.document, aside.path) == (sha256(b"coffee"), "caf\ufffd.txt")
    assert "rename it" in aside.detail
    assert documents(project) == {"café.txt": sha256(b"coffee")}


def test_a_data_set_is_known_from_its_manifest(tmp_path: Path) -> None:
    """No byte is read again that its sync has checked; a newer version brings its own, and the others move along."""
    project = Project(tmp_path / "here").write('dataset = "mix"')
    published(project, "v1", {"a.txt": b"one", "b.txt": b"two"})
    first = project.fetch()
    published(project, "v2", {"new-name.txt": b"one", "c.txt": b"three"})
    second = project.fetch()
    at = flow.place(project.folder, project.site_file)
    held = {each.path: each for each in project.work.read(Document, "documents.jsonl")}

    assert (first["read_bytes"], first["new"], first["source"]) == (0, 2, "mix@v1")
    assert (second["read_bytes"], second["new"], second["moved"], second["gone"]) == (0, 1, 1, 1)
    assert archive.read(held["new-name.txt"], at.site).read() == b"one"
    assert held["b.txt"].source == "mix@v1"


def test_a_file_that_somebody_changed_in_a_data_set_is_read(tmp_path: Path) -> None:
    """A digest counts only for a file that is as its sync left it."""
    project = Project(tmp_path / "here").write('dataset = "mix"')
    published(project, "v1", {"a.txt": b"one"})
    (project.folder / "datasets/mix/v1/a.txt").write_bytes(b"other")
    project.fetch()

    assert documents(project) == {"a.txt": sha256(b"other")}


@pytest.mark.parametrize("name", ["absent", "../work", "mix/../.."])
def test_a_data_set_that_is_not_here_is_named(tmp_path: Path, name: str) -> None:
    """Also one whose name leads elsewhere."""
    project = Project(tmp_path / "here").write(f'dataset = "{name}"')

    with pytest.raises(ConfigError, match="is not on this machine"):
        project.fetch()


@pytest.mark.parametrize("path", ["../outside.txt", "link/x.txt", "a/../../outside.txt", "link.txt", "absent.txt"])
def test_a_document_is_opened_below_its_source_or_not_at_all(project: Project, path: str) -> None:
    """A record that was tampered with, and a link that took a folder's place since, lead nowhere."""
    (project.folder / "outside.txt").write_text("outside")
    (project.docs / "a").mkdir()
    (project.docs / "link").symlink_to(project.folder)
    (project.docs / "link.txt").symlink_to(project.folder / "outside.txt")
    at = flow.place(project.folder, project.site_file)
    forged = Document(id="0" * 64, path=path, size_bytes=7, source=str(project.docs), fetched_at=flow._now())

    with pytest.raises(DamagedError):
        archive.read(forged, at.site)


class Archive(RuleBasedStateMachine):
    """Files come, change and go; fetches are killed while they write."""

    @initialize()
    def empty(self) -> None:
        """A new project."""
        import tempfile
        from pathlib import Path

        self.place = tempfile.TemporaryDirectory()
        self.project = Project(Path(self.place.name) / "here").write()
        self.ever: set[str] = set()  # what a whole fetch has seen

    @rule(name=NAMES, data=CONTENTS)
    def write(self, name: str, data: bytes) -> None:
        """A file comes or changes."""
        file = self.project.docs / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        """A file goes."""
        (self.project.docs / name).unlink(missing_ok=True)

    @rule(name=NAMES, other=NAMES)
    def rename(self, name: str, other: str) -> None:
        """A file moves."""
        if (self.project.docs / name).is_file():
            (self.project.docs / other).parent.mkdir(parents=True, exist_ok=True)
            (self.project.docs / name).rename(self.project.docs / other)

    @rule(file=st.sampled_from(["documents.jsonl", "seen.jsonl"]), kept=st.integers(0, 60))
    def tear(self, file: str, kept: int) -> None:
        """The machine died while the last line was written: only a part of it is on the disk."""
        path = self.project.work.path(file)
        if path.exists() and (lines := path.read_bytes().splitlines(keepends=True)):
            path.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept].rstrip(b"\n"))
            whole = {each.id for each in self.project.work.read(Document, "documents.jsonl")}
            self.ever &= whole

    @rule()
    def fetch(self) -> None:
        """After a whole one, what is there is known, where it is."""
        self.project.fetch()
        known = {each.id: each for each in self.project.work.read(Document, "documents.jsonl")}
        self.ever |= self._there()
        assert set(known) >= self.ever
        for content in self._there():
            assert sha256((self.project.docs / known[content].path).read_bytes()) == content

    @invariant()
    def nothing_is_there_twice(self) -> None:
        """One record a content."""
        ids = [each.id for each in self.project.work.read(Document, "documents.jsonl")]
        assert len(ids) == len(set(ids))

    def _there(self) -> set[str]:
        files = (each for each in self.project.docs.rglob("*") if each.is_file())
        return {
            sha256(each.read_bytes()) for each in files
            if not any(part.startswith(".") for part in each.relative_to(self.project.docs).parts)
        }  # fmt: skip

    def teardown(self) -> None:
        """Remove it."""
        self.place.cleanup()


Archive.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestArchive = Archive.TestCase
