"""The modules that change a host → what was there before stands in the journal, before the change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.playbooks.machine import Machine, Tree

SIMULATED = """\
Reading package lists...
Inst liblzma5 [5.4.1-1] (5.4.1-2 Debian:12 [all])
Inst jq (1.6-2 Debian:12 [all])
Remv ntpsec [1.2.2]
Conf jq (1.6-2 Debian:12 [all])
"""


def journal(machine: Machine, kind: str) -> dict[str, Any]:
    """What was noted of a kind, by name."""
    file = machine.varlib / "sparkfleet/before/journal"
    records = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {record["name"]: record["before"] for record in records if record["kind"] == kind}


def test_the_tree_notes_what_it_changes(machine: Machine, tree: Tree) -> None:
    """A file that is replaced, one that is new, a link, a stray file of an exact folder, a path of a later task."""
    old, new, link = tree.file("old.conf"), tree.file("new.conf"), tree.link("zone", "/zone/UTC")
    old.write_text("before\n")
    folder = tree.only("keys")
    folder.mkdir()
    (folder / "eve").write_text("stray\n")
    secret = machine.root / "s3.json"

    machine.run("tree", tree=tree.text(), roles=["base", "access"], keep=[str(secret)], people=["root", "no-such-user"])

    kinds = {path: record["kind"] for path, record in journal(machine, "path").items()}
    expected = {old: "file", new: "absent", link: "absent", folder / "eve": "file", secret: "absent"}
    assert kinds == {str(path): kind for path, kind in expected.items()}
    people = journal(machine, "user")
    assert (people["no-such-user"], people["root"]["uid"]) == (None, 0)


def test_a_file_that_is_right_is_not_noted(machine: Machine, tree: Tree) -> None:
    """Somebody had described it the same by hand: it is theirs, and a reset leaves it."""
    path = tree.file("x.conf", "a = 1\n")
    path.write_text("a = 1\n")
    path.chmod(0o644)

    machine.run("tree", tree=tree.text(), roles=["base"])

    assert journal(machine, "path") == {}


def test_packages_are_noted_as_apt_would_do_them(machine: Machine) -> None:
    """What is new, what is upgraded along, what has to go; and the files that a new package may bring before us."""
    machine.program("dpkg-query", "exit 1")
    machine.program("dpkg", "exit 0")
    (machine.varlib / "said").write_text(SIMULATED)
    machine.program("apt-get", f'case "$*" in *--simulate*) cat {machine.varlib}/said;; esac')

    machine.run("packages", names=["jq"], keep=[str(machine.root / "jq.conf")])

    assert journal(machine, "package") == {"liblzma5": "5.4.1-1", "jq": "", "ntpsec": "1.2.2"}
    assert journal(machine, "path") == {str(machine.root / "jq.conf"): {"kind": "absent"}}
    assert "root" in journal(machine, "accounts")["all"]


def test_units_are_noted_as_they_stood(machine: Machine) -> None:
    """Only those that are touched."""
    shown = machine.varlib / "shown"
    shown.write_text(
        "Id=a.service\nLoadState=loaded\nUnitFileState=disabled\nActiveState=inactive\nNeedDaemonReload=no\n\n"
        "Id=b.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\nNeedDaemonReload=no\n"
    )
    machine.program("systemctl", f'case "$*" in show*) cat {shown};; esac')

    machine.run("units", wanted={"a.service": "enabled,active", "b.service": "enabled,active"})

    assert journal(machine, "unit") == {"a.service": {"UnitFileState": "disabled", "ActiveState": "inactive"}}


def test_check_mode_notes_nothing(machine: Machine, tree: Tree) -> None:
    """A dry run has changed nothing."""
    tree.file("x.conf")

    machine.run("tree", check=True, tree=tree.text(), roles=["base"], people=["root"])

    assert not (machine.varlib / "sparkfleet").exists()
