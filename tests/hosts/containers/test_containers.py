"""Containers get the GPU, and nobody gets root through them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from reading import opened
from told_containers import SPECIFICATION, open_ports

if TYPE_CHECKING:
    from machine import Machine

DAEMONS = {"dockerd", "containerd"}
MISSING: Any = object()


@pytest.mark.control(id="CONTAINERS-01", severity="medium", source="sparkfleet")
def test_described_values_are_in_the_engines_settings(machine: Machine) -> None:
    """The engine's settings hold every described value, whatever else their owner has put there.

    The files as JSON, pointer by pointer.
    """
    wrong = []
    for path, values in machine.wanted["containers"].items():
        try:
            document = json.loads(machine.merged_files[path] or "{}")
        except json.JSONDecodeError as error:
            wrong.append(f"{path}: line {error.lineno} column {error.colno}: {error.msg}")
            continue
        for pointer, wanted in values.items():
            found = document
            for token in pointer[1:].split("/"):
                key = token.replace("~1", "/").replace("~0", "~")
                found = found.get(key, MISSING) if isinstance(found, dict) else MISSING
            if found != wanted:
                shown = "not there" if found is MISSING else json.dumps(found)
                wrong.append(f"{path}{pointer} is {shown}, described is {json.dumps(wanted)}")
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="CONTAINERS-02", severity="high", source="GB10")
def test_containers_can_get_the_gpu(machine: Machine) -> None:
    """One CDI specification names all GPUs, and every file of the host that it gives to containers is there.

    The file in /run/cdi; a second one that names the same devices hides them, a missing file stops every container.
    """
    found = machine.cdi
    assert found.names_all == 1, f"{SPECIFICATION} names nvidia.com/gpu=all {found.names_all} times"
    assert not found.missing, f"{SPECIFICATION} gives to containers what is not there: {', '.join(found.missing[:5])}"
    assert not found.others, f"names nvidia.com/gpu too: {', '.join(found.others)}"


@pytest.mark.control(id="CONTAINERS-03", severity="low", source="sparkfleet")
def test_the_engine_has_read_its_settings(machine: Machine) -> None:
    """The running engine was started after its settings were last changed.

    Docker's unit and the date of daemon.json; an apply ends no container for it.
    """
    if not machine.engine.active:
        pytest.skip("docker.service does not run")
    assert machine.engine.started >= machine.engine.settings_written, (
        "daemon.json is newer than the engine: `systemctl restart docker` when its containers may stop"
    )


@pytest.mark.control(id="CONTAINERS-04", severity="high", source="sparkfleet")
def test_the_engine_answers_on_its_socket_alone(machine: Machine) -> None:
    """The engine listens on no network, and its socket is root's and its group's: whoever reaches it is root.

    Listening sockets by process; owner and mode of /run/docker.sock.
    """
    listening = [str(one) for one in machine.listeners if one.process in DAEMONS and not one.on_loopback]
    assert not listening, f"the engine listens: {', '.join(listening)}"
    socket, _ = machine.engine_socket
    assert socket in {"", "root:docker 660", "root:root 660", "root:root 600"}, f"/run/docker.sock is {socket}"


@pytest.mark.control(id="CONTAINERS-05", severity="high", source="sparkfleet")
def test_no_container_is_published_to_everybody(machine: Machine) -> None:
    """Ports that containers publish are on loopback, but for those that are described as open.

    Docker's own listeners, and the rules that translate to containers: they pass firewalls that do not know of them.
    """
    described = opened(machine.wanted["open"], "tcp")
    proxies = {one.port for one in machine.listeners if one.process == "docker-proxy" and not one.on_loopback}
    found = sorted((proxies | open_ports(machine.ruleset)) - described)
    assert not found, f"published to everybody: {', '.join(map(str, found))}"


@pytest.mark.control(id="CONTAINERS-06", severity="high", source="sparkfleet")
def test_only_people_with_sudo_use_the_engine(machine: Machine) -> None:
    """Nobody is in the group docker who is not described with sudo: its members are root without a password.

    The group's members.
    """
    sudo = {name for name, person in machine.wanted["users"].items() if person["sudo"]}
    _, members = machine.engine_socket
    assert members <= sudo, f"root through the engine, without sudo: {', '.join(sorted(members - sudo))}"


@pytest.mark.control(id="CONTAINERS-07", severity="medium", source="sparkfleet")
def test_no_registrys_password_lies_in_plain_text(machine: Machine) -> None:
    """No password of a registry stands in Docker's settings of root or people; NGC's key comes from a helper.

    The word "auth" in their config.json; only the files' names are told.
    """
    assert not machine.plain_logins, f"holds a password: {', '.join(machine.plain_logins)}"


@pytest.mark.control(id="CONTAINERS-08", severity="medium", source="GB10")
def test_the_runtime_is_not_forced_to_the_old_mode(machine: Machine) -> None:
    """NVIDIA's runtime is not forced to its mode "legacy", which hides why CDI does not work and ends with it.

    `mode` in /etc/nvidia-container-runtime/config.toml.
    """
    mode = machine.runtime_mode
    assert not re.fullmatch("legacy", mode), f"mode is {mode}: set it to auto and see CONTAINERS-02"
