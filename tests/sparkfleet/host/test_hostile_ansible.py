"""A host that lies to Ansible: real ssh and real ansible-runner against a server that answers every module as it likes.

Nothing that a module's answer says may read a file of the controller, run there, or outlast the deadline.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import ApplyError
from sparkfleet.host import apply as edge
from sparkfleet.host.apply import Work, apply
from sparkfleet.host.desired import desired
from sparkfleet.host.plan import plan
from tests.sparkfleet.ssh_server import Server, described

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import paramiko

    from sparkfleet.host.desired import Desired
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="OpenSSH's client is not installed")

SECRET = "the controller's own words"


class Liar:
    """Answers each module with one document, and keeps all that it was sent."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer, self.heard = answer, ""

    def __call__(self, channel: paramiko.Channel, command: str) -> None:
        """As Ansible's pipelining expects it: what sudo would say first, then the module's JSON."""
        with contextlib.suppress(OSError, EOFError):  # ssh may be ended first
            for word in re.findall(r"BECOME-SUCCESS-\w+", command)[:1]:
                channel.sendall(f"{word}\n".encode())
            self.heard += channel.makefile("rb").read().decode(errors="replace")
            channel.sendall(json.dumps(self.answer).encode())
            channel.send_exit_status(0)
            channel.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """The host."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def own(fleet: Fleet, server: Server, tmp_path: Path) -> Fleet:
    """A fleet whose spark-01 is that server."""
    folder = tmp_path / "controller"
    (folder / "keys").mkdir(parents=True)
    target = described(server, folder)
    target.private_key.chmod(0o600)
    target.private_key.rename(folder / "keys/automation")
    controller = fleet.controller.model_copy(update={"folder": folder})
    assert (controller.private_key, controller.known_hosts) == (folder / "keys/automation", folder / "known_hosts")
    host = fleet.hosts["spark-01"].model_copy(update={"addresses": ["127.0.0.1"], "port": server.port})
    return fleet.model_copy(update={"controller": controller, "hosts": {**fleet.hosts, "spark-01": host}})


@pytest.fixture
def wanted(own: Fleet, project_sources: Sources) -> Desired:
    """What spark-01 should be."""
    return desired(own, "spark-01", project_sources)


def test_a_modules_facts_name_no_file_of_the_controller(
    own: Fleet, wanted: Desired, server: Server, tmp_path: Path
) -> None:
    """The first module's answer claims another tree file and other secrets; what is sent next is the described tree."""
    (tmp_path / "stolen").write_text(SECRET)
    named = {"sparkfleet_tree_file": str(tmp_path / "stolen")}
    secrets = {"/root/x": {"reference": f"file:{tmp_path}/stolen"}}
    liar = server.answer = Liar({"changed": True, "ansible_facts": {**named, "sparkfleet_secrets": secrets}})

    apply(own, {"spark-01": Work(wanted, plan({}, wanted), "127.0.0.1")})

    assert "/etc/sparkfleet/firewall.nft" in liar.heard  # the tree came through
    assert SECRET not in liar.heard


@pytest.mark.parametrize("failed", [True, False])
def test_an_answer_that_is_a_template_stays_words(
    failed: bool, own: Fleet, wanted: Desired, server: Server, tmp_path: Path
) -> None:
    """Neither run nor shown raw; hosts added by a module's answer, and other connections, are not followed."""
    attack = "{{ lookup('ansible.builtin.pipe', 'touch " + str(tmp_path / "pwned") + "') }}"
    here = {"host_name": "spark-01", "host_vars": {"ansible_connection": "local"}}
    server.answer = Liar({
        "failed": failed, "changed": True, "msg": [f"\x1b]0;{attack}\x07"], "stderr": attack, "touched": attack,
        "add_host": here, "_ansible_notify": attack, "ansible_facts": {"ansible_connection": "local"},
    })  # fmt: skip
    said: list[str] = []

    outcome = apply(own, {"spark-01": Work(wanted, plan({}, wanted), "127.0.0.1")}, say=said.append)["spark-01"]

    assert ("lookup" in outcome.failure) is failed
    assert all(line.isprintable() for line in [outcome.failure, *said])
    assert not (tmp_path / "pwned").exists()


def test_a_host_that_never_ends_is_ended(own: Fleet, wanted: Desired, server: Server) -> None:
    """A byte now and then keeps ssh content for ever; the run has a deadline of its own, and leaves no process."""
    stop = threading.Event()

    def drip(channel: paramiko.Channel, _: str) -> None:
        with contextlib.suppress(OSError, EOFError):
            while not stop.wait(0.1):
                channel.sendall(b" ")

    server.answer = drip
    begin = time.monotonic()
    try:
        with pytest.raises(ApplyError, match="was not done within"):
            apply(own, {"spark-01": Work(wanted, plan({}, wanted), "127.0.0.1")}, deadline_s=4.0)
    finally:
        stop.set()

    assert time.monotonic() - begin < 20.0


@pytest.mark.parametrize("mark", ["{{", "{%", "{#"])
def test_an_inventory_with_a_template_in_it_is_refused(mark: str) -> None:
    """Ansible would run it on the controller; names that a host made up never come so far, and this is the last net."""
    with pytest.raises(ApplyError, match="run as a template"):
        edge.plain({"all": {"hosts": {"spark-01": {"sparkfleet_remove": [f"/x{mark} lookup('pipe', 'id')"]}}}})
