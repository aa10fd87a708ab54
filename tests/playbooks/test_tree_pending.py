"""The module `tree`, killed or refused halfway → the old files stand, and the next run knows what is not done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.waiting import until

if TYPE_CHECKING:
    from tests.playbooks.machine import Machine, Tree


def test_a_role_is_pending_from_its_first_change_until_the_marker(machine: Machine, tree: Tree) -> None:
    """An apply that ends between the two is seen by the next probe; the marker clears the mark with the digest."""
    tree.file("x.conf")

    machine.run("tree", tree=tree.text(), roles=["base"])
    between = machine.marker()["roles"]
    machine.run("marker", roles={"base": "d1"}, managed={"file:/x": "v"})

    assert between == {"base": "pending"}
    assert machine.marker() == {"roles": {"base": "d1"}, "managed": {"file:/x": "v"}, "secrets": {}}


def test_what_an_interrupted_apply_shipped_is_not_forgotten(machine: Machine, tree: Tree) -> None:
    """A file that was shipped before the kill and is described no more is known as ours, and can be taken away."""
    machine.run("marker", roles={"base": "d1"}, managed={"file:/before": "v"})
    path = tree.file("x.conf")

    machine.run("tree", tree=tree.text(), roles=["base"], managed={f"file:{path}": "v"})  # and killed here

    assert machine.marker()["managed"] == {"file:/before": "v", f"file:{path}": "v"}


def test_an_interrupted_role_counts_as_touched(machine: Machine, tree: Tree) -> None:
    """The files are right after a kill between tree and marker, yet the service has not read them: it is restarted."""
    tree.file("x.conf")
    machine.run("tree", tree=tree.text(), roles=["base"])  # and no marker: the apply was killed here

    again = machine.run("tree", tree=tree.text(), roles=["base"])

    assert (again["changed"], again["touched"]) == (False, ["base"])


def test_a_refused_file_leaves_its_role_pending(machine: Machine, tree: Tree) -> None:
    """What was changed before the refusal is not forgotten: the next run counts the role as touched."""
    tree.file("a.conf")
    tree.file("b.conf", validate="false %s")

    machine.run("tree", tree=tree.text(), roles=["base"])

    assert machine.marker()["roles"] == {"base": "pending"}


def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_run_finishes(machine: Machine, tree: Tree) -> None:
    """Killed while a file is validated: the old one stands, the role is pending, leftovers go with the next run."""
    waiting = machine.varlib / "waiting"
    machine.program("slow", f"touch {waiting}; exec sleep 60")
    tree.file("a.conf", "new\n")
    path = tree.file("b.conf", "new\n", validate="slow %s")
    path.write_text("old\n")
    module = subprocess.Popen(
        machine.command("tree"), stdin=subprocess.PIPE, env=machine.environment(), start_new_session=True
    )
    assert module.stdin is not None
    with module.stdin as stdin:
        stdin.write(json.dumps({"tree": tree.text(), "roles": ["base"]}).encode())
    until(waiting.exists, "the validator")
    os.killpg(module.pid, signal.SIGKILL)
    module.wait()

    assert (path.read_text(), machine.marker()["roles"]) == ("old\n", {"base": "pending"})
    assert len(list(machine.root.glob(".sparkfleet-*"))) == 1
    machine.program("slow", "exit 0")
    again = machine.run("tree", tree=tree.text(), roles=["base"])
    assert (path.read_text(), again["touched"]) == ("new\n", ["base"])
    assert sorted(p.name for p in machine.root.iterdir()) == ["a.conf", "b.conf"]
