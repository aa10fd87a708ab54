"""The project's own files → what rendering needs; a role's digest moves with its files and with nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparkfleet.errors import SparkfleetError
from sparkfleet.host import sources
from sparkfleet.host.sources import PROJECT, folder_digest
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparkfleet.model import Fleet


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """A role's folder."""
    folder = tmp_path / "role"
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "main.yml").write_text("- name: One\n")
    (folder / "tasks" / "more.yml").write_text("- name: Two\n")
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "tasks/main.yml").write_text("- name: Won\n"),
        lambda folder: (folder / "tasks/main.yml").rename(folder / "tasks/first.yml"),
        lambda folder: (folder / "tasks/more.yml").unlink(),
        lambda folder: (folder / "new.yml").write_text(""),
        lambda folder: (folder / "tasks/main.yml").chmod(0o755),
        lambda folder: (folder / "tasks").rename(folder / "handlers"),
    ],
    ids=["content", "name", "one less", "one more", "executable", "folder"],
)
def test_a_digest_changes_with_the_files(role: Path, change: Callable[[Path], object]) -> None:
    """Content, name, place, being executable, coming and going: each shows as a changed role."""
    before = folder_digest(role)

    change(role)

    assert folder_digest(role) != before


def test_swapped_contents_are_another_digest(role: Path) -> None:
    """Which file holds which text counts, not only which texts there are."""
    before = folder_digest(role)
    one, two = role / "tasks/main.yml", role / "tasks/more.yml"
    one_text, two_text = one.read_text(), two.read_text()

    one.write_text(two_text)
    two.write_text(one_text)

    assert folder_digest(role) != before


@pytest.mark.parametrize("name", [".main.yml.swp", "__pycache__/x.pyc", ".git/HEAD", "tasks/.hidden/deep.yml"])
def test_hidden_and_compiled_files_do_not_count(role: Path, name: str) -> None:
    """What an editor or Python leaves behind is no change of a role."""
    before = folder_digest(role)
    (role / name).parent.mkdir(parents=True, exist_ok=True)

    (role / name).write_text("x")

    assert folder_digest(role) == before


def test_the_time_and_the_place_of_a_checkout_do_not_count(role: Path, tmp_path: Path) -> None:
    """Another clone of the same commit has the same digests: no host is touched for it."""
    before = folder_digest(role)

    moved = role.rename(tmp_path / "elsewhere")
    (moved / "tasks/main.yml").touch()

    assert folder_digest(moved) == before


def test_a_project_in_a_hidden_folder_is_read_all_the_same(tmp_path: Path, role: Path) -> None:
    """Only what is hidden below the role's own folder is left out."""
    hidden = tmp_path / ".checkouts"
    hidden.mkdir()
    before = folder_digest(role)

    assert folder_digest(role.rename(hidden / "role")) == before


def test_every_role_has_a_folder_with_what_follows_its_changes() -> None:
    """The same word names the model's role and its Ansible role."""
    assert {folder.parent.parent.name for folder in (PROJECT / "playbooks/roles").glob("*/vars/main.yml")} == set(Role)


def test_a_controller_without_its_key_says_to_adopt(fleet: Fleet, tmp_path: Path) -> None:
    """Nothing can be described before the automation key exists; the message names the command that makes it."""
    nowhere = fleet.model_copy(update={"controller": fleet.controller.model_copy(update={"folder": tmp_path})})

    with pytest.raises(SparkfleetError, match=r"(?s)no automation key.*spark adopt spark-01"):
        sources.read(nowhere)
