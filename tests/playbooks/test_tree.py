"""The module `tree`, run as a process → files, links and exact folders as described."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.playbooks.machine import Machine, Tree

ROLES = ["base", "access"]


def mode(path: Path) -> int:
    """A file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_described_file_is_written_with_its_mode(machine: Machine, tree: Tree) -> None:
    """Text, and what is none, lie there byte for byte, with the described mode."""
    text = tree.file("etc/x.conf", "a = 1\n", mode=0o640)
    other = tree.file("lib/y.pyz", base64=base64.b64encode(b"PK\xff\x00").decode())

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert (answer["changed"], answer["changed_paths"]) == (True, [str(text), str(other)])
    assert (text.read_text(), mode(text)) == ("a = 1\n", 0o640)
    assert other.read_bytes() == b"PK\xff\x00"


def test_a_second_run_changes_nothing(machine: Machine, tree: Tree) -> None:
    """What is right is not written again: same file, same time."""
    path = tree.file("etc/x.conf")
    tree.link("etc/y", "/target")
    machine.run("tree", tree=tree.text(), roles=ROLES)
    machine.run("marker", roles={"base": "d1", "access": "d2"}, managed={})
    before = path.stat()

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert (answer["changed"], answer["touched"]) == (False, [])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_new_folder_can_be_entered_by_everybody(machine: Machine, tree: Tree) -> None:
    """Whatever root's umask is: sshd reads /etc/ssh/authorized_keys as the person who logs in."""
    path = tree.file("etc/ssh/authorized_keys/alice", role="access")

    machine.run("tree", tree=tree.text(), roles=ROLES)

    assert [mode(folder) for folder in (path.parent, path.parent.parent)] == [0o755, 0o755]


def test_files_of_other_roles_are_left_alone(machine: Machine, tree: Tree) -> None:
    """Only what the plan names is touched."""
    mine, others = tree.file("etc/mine"), tree.file("etc/others", role="access")

    machine.run("tree", tree=tree.text(), roles=["base"])

    assert (mine.exists(), others.exists()) == (True, False)


@pytest.mark.parametrize("change", ["content", "mode", "link"])
def test_what_differs_is_put_right(machine: Machine, tree: Tree, change: str) -> None:
    """Another text of the same length, another mode, a link in the file's place: each is replaced."""
    path = tree.file("x.conf", "right\n")
    path.write_text("wrong\n" if change == "content" else "right\n")
    path.chmod(0o666 if change == "mode" else 0o644)
    if change == "link":
        path.rename(machine.root / "real")
        path.symlink_to(machine.root / "real")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert answer["changed_paths"] == [str(path)]
    assert (path.read_text(), mode(path), path.is_symlink()) == ("right\n", 0o644, False)


def test_a_folder_in_a_files_place_is_not_removed(machine: Machine, tree: Tree) -> None:
    """Somebody's folder is looked at by a person first."""
    path = tree.file("x.conf")
    path.mkdir()

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert answer["failed"]
    assert f"{path}: a directory stands where a file is described" in answer["msg"]
    assert path.is_dir()


def test_an_owner_that_does_not_exist_is_told(machine: Machine, tree: Tree) -> None:
    """Files belong to users that packages make: the message names file and group, and nothing is half done."""
    path = tree.file("x.conf", group="no-such-group")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert answer["failed"]
    assert answer["msg"] == f"{path}: there is no group no-such-group on this host"


def test_check_mode_on_a_fresh_machine_needs_no_group_yet(machine: Machine, tree: Tree) -> None:
    """Before its package is installed a file's group cannot exist; `--check` tells the file as a change."""
    path = tree.file("x.conf", group="no-such-group")

    answer = machine.run("tree", check=True, tree=tree.text(), roles=ROLES)

    assert answer["changed_paths"] == [str(path)]


def test_a_validator_that_refuses_leaves_the_old_file(machine: Machine, tree: Tree) -> None:
    """The message has the validator's own words, and no temporary file stays."""
    machine.program("sshd", 'echo "$3 line 1: Bad option" >&2; exit 255')
    path = tree.file("x.conf", "new\n", validate="sshd -t -f %s")
    path.write_text("old\n")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert answer["failed"]
    assert answer["msg"] == "sshd refuses the new file: the new file line 1: Bad option"
    assert path.read_text() == "old\n"
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208  (hidden ones too)


def test_a_validator_sees_the_new_text_before_it_takes_its_place(machine: Machine, tree: Tree) -> None:
    """It is given the file's text under a temporary name in the same folder."""
    machine.program("look", f"cat $1 {machine.root}/x.conf > {machine.varlib}/seen; exit 0")
    path = tree.file("x.conf", "new\n", validate="look %s")
    path.write_text("old\n")

    machine.run("tree", tree=tree.text(), roles=ROLES)

    assert (machine.varlib / "seen").read_text() == "new\nold\n"
    assert path.read_text() == "new\n"


def test_extras_of_an_exact_folder_are_put_aside(machine: Machine, tree: Tree) -> None:
    """They are moved, never deleted; hidden ones and folders too; the role counts as touched."""
    keep = tree.file("keys/alice", role="access")
    folder = tree.only("keys", "alice")
    machine.run("tree", tree=tree.text(), roles=ROLES)
    machine.run("marker", roles={"base": "d1", "access": "d2"}, managed={})
    (folder / "eve").write_text("a stray key\n")
    (folder / ".hidden").write_text("hidden\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "deep").write_text("deep\n")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert (list(folder.iterdir()), answer["touched"]) == ([keep], ["access"])
    removed = machine.varlib / "sparkfleet/removed"
    assert sorted(f.read_text() for f in removed.rglob("*") if f.is_file()) == ["a stray key\n", "deep\n", "hidden\n"]
    assert mode(removed) == 0o700


def test_what_is_no_longer_described_is_put_aside(machine: Machine, tree: Tree) -> None:
    """A path of the removal list is moved to the removed folder under its own name; one that is gone is no fault."""
    old = machine.root / "old.conf"
    old.write_text("old\n")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES, remove=[str(old), str(machine.root / "never")])

    assert answer["changed_paths"] == [str(old)]
    assert not old.exists()
    assert machine.removed() == {str(old): "old\n"}


def test_a_person_who_left_is_removed_once(machine: Machine, tree: Tree) -> None:
    """Their key file is an extra of the exact folder and no longer described: two reasons, one move."""
    tree.file("keys/alice", role="access")
    folder = tree.only("keys", "alice")
    folder.mkdir()
    (folder / "bob").write_text("bob's key\n")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES, remove=[str(folder / "bob")])

    assert not answer.get("failed"), answer["msg"]
    assert answer["changed_paths"].count(str(folder / "bob")) == 1
    assert machine.removed() == {str(folder / "bob"): "bob's key\n"}


def test_a_file_that_comes_back_is_put_aside_again(machine: Machine, tree: Tree) -> None:
    """The second one does not take the place of the first, however soon it follows."""
    folder = tree.only("keys")
    folder.mkdir()
    for text in ("first\n", "second\n"):
        (folder / "eve").write_text(text)
        machine.run("tree", tree=tree.text(), roles=ROLES)

    removed = machine.varlib / "sparkfleet/removed"
    assert sorted(f.read_text() for f in removed.rglob("*") if f.is_file()) == ["first\n", "second\n"]


@pytest.mark.parametrize("before", ["nothing", "other link", "file", "relative link"])
def test_a_link_leads_where_it_is_described(machine: Machine, tree: Tree, before: str) -> None:
    """Made, or turned; a relative link that leads there already is left alone."""
    path = tree.link("etc/localtime", f"{machine.root}/zone/UTC")
    path.parent.mkdir()
    if before == "file":
        path.write_text("a copied zone file")
    elif before != "nothing":
        path.symlink_to("../zone/UTC" if before == "relative link" else "/elsewhere")

    answer = machine.run("tree", tree=tree.text(), roles=ROLES)

    assert answer["changed"] is (before != "relative link")
    assert os.path.normpath(path.parent / path.readlink()) == f"{machine.root}/zone/UTC"
    assert os.listdir(path.parent) == ["localtime"]  # noqa: PTH208


def test_check_mode_tells_and_changes_nothing(machine: Machine, tree: Tree) -> None:
    """Files, links, extras and removals are told as they would be changed; not even the marker is written."""
    path, link = tree.file("x.conf"), tree.link("y", "/target")
    folder = tree.only("keys")
    folder.mkdir()
    (folder / "eve").write_text("stray\n")

    answer = machine.run("tree", check=True, tree=tree.text(), roles=ROLES)

    assert answer["changed_paths"] == [str(path), str(link), str(folder / "eve")]
    assert [p.name for p in machine.root.iterdir()] == ["keys"]
    assert (folder / "eve").exists()
    assert list(machine.varlib.iterdir()) == []
