"""JupyterLab is there for its owner, behind a token that nobody else reads, and lets the GPU rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from told_jupyter import UNIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

LONG_ENOUGH = 40  # characters of base64: more than 200 bits
REFUSED = {"401", "403"}


@pytest.mark.control(id="JUPYTER-01", severity="medium", source="sparkfleet")
def test_jupyter_runs(machine: Machine) -> None:
    """JupyterLab runs as the described person, and lets in who has the token.

    systemd's word, and a request with the token, made on the host.
    """
    unit = machine.units[UNIT]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']} ({unit['SubState']})"
    assert state == "enabled, active (running)", f"{UNIT} is {state}\n{machine.journal(UNIT)}"
    user = machine.says("stat -c %%U %s", f"/proc/{unit['MainPID']}").strip()
    assert user == machine.wanted["jupyter"]["user"], f"it runs as {user}"
    assert machine.jupyter["met"]["the token"] == "200", f"with the token: {machine.jupyter['met']['the token']}"


@pytest.mark.control(id="JUPYTER-02", severity="high", source="sparkfleet")
def test_jupyter_is_on_loopback(machine: Machine) -> None:
    """JupyterLab listens on loopback alone; in the tailnet tailscaled forwards to it.

    The sockets that listen on its port.
    """
    port = machine.wanted["jupyter"]["port"]
    others = [one for one in machine.listeners if one.port == port and not one.on_loopback]
    open_ports = [str(one) for one in others if one.process != "tailscaled"]
    assert not open_ports, f"open to others: {', '.join(open_ports)}"


@pytest.mark.control(id="JUPYTER-03", severity="high", source="sparkfleet")
def test_jupyter_asks_who_is_there(machine: Machine) -> None:
    """Nobody gets in without the token, and no page of elsewhere with it.

    Requests with no token, a wrong one, and the right one under a foreign name of the host, made on the host.
    """
    machine.need(UNIT, "JUPYTER-01")
    others = {who: code for who, code in machine.jupyter["met"].items() if who != "the token"}
    let_in = [f"{who}: {code}" for who, code in others.items() if code not in REFUSED]
    assert not let_in, f"not refused: {', '.join(let_in)}"


@pytest.mark.control(id="JUPYTER-04", severity="high", source="sparkfleet")
def test_token_is_a_secret(machine: Machine) -> None:
    """The token is long, its file the person's alone, and it stands in no command line and not in the journal.

    Owner and mode of its file; every process' command line; the journal of the unit.
    """
    told = machine.jupyter
    assert told["kept"] == f"{machine.wanted['jupyter']['user']} 0600", f"its file: {told['kept']}"
    assert told["length"] >= LONG_ENOUGH, f"it has {told['length']} characters"
    assert not told["command_lines"], f"it stands in {told['command_lines']} command line(s)"
    assert not told["in_journal"], "it stands in the journal"


@pytest.mark.control(id="JUPYTER-05", severity="low", source="GB10")
def test_kernels_start_with_the_check(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Each kernel says first how GPU and memory stand, and makes no CUDA context for it, which would keep a GB10 in P0.

    The file in profile_default/startup, what IPython prints as the person starts it, and whether libcuda is in memory.
    """
    there, *said = machine.kernel
    assert there == "there", f"the start-up file is {there}"
    assert len(said) == len(("the line", "the cell")), f"a first cell prints {said}"
    assert "GiB of memory available" in said[0], f"a first cell begins with {said[0]!r}"
    assert said[1] == "no cuda", "libcuda is loaded into the kernel"
    record_property("evidence", said[0])


@pytest.mark.control(id="JUPYTER-06", severity="high", source="sparkfleet")
def test_jupyter_is_served_to_the_tailnet_alone(machine: Machine) -> None:
    """Where it is described the tailnet reaches JupyterLab, and the internet never does.

    What tailscaled serves: the port to loopback, and no funnel.
    """
    port, served = str(machine.wanted["jupyter"]["port"]), machine.tailnet_serves
    funnels = [name for name, on in (served.get("AllowFunnel") or {}).items() if on]
    assert not funnels, f"open to the internet: {', '.join(funnels)}"
    to = ((served.get("TCP") or {}).get(port) or {}).get("TCPForward", "nowhere")
    expected = f"127.0.0.1:{port}" if machine.wanted["jupyter"]["served"] else "nowhere"
    assert to == expected, f"port {port} of the tailnet leads to {to}"
