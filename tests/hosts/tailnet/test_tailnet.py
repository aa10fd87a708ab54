"""The host is a node of its tailnet as described, and nothing else comes in by it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from reading import in_tailnet

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

UNIT = "tailscaled.service"
STATE = "/var/lib/tailscale"
SOON = dt.timedelta(days=14)


def joined(machine: Machine) -> dict[str, Any]:
    """The node that this host is; without one the check is skipped."""
    machine.need(UNIT, "TAILNET-01")
    if machine.tailnet_status.get("BackendState") != "Running":
        pytest.skip("this host has not joined: see TAILNET-02")
    return dict(machine.tailnet_status["Self"])


@pytest.mark.control(id="TAILNET-01", severity="high", source="sparkfleet")
def test_tailscaled_runs(machine: Machine) -> None:
    """Tailscaled runs, now and after every start.

    systemd has its unit enabled and active.
    """
    unit = machine.units[UNIT]
    state = f"{unit['UnitFileState'] or 'not there'}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{UNIT} is {state}\n{machine.journal(UNIT)}"


@pytest.mark.control(id="TAILNET-02", severity="high", source="sparkfleet")
def test_the_host_has_joined_the_described_tailnet(machine: Machine) -> None:
    """The host is a node of the described tailnet, under its name and with exactly the described tags.

    tailscaled's own word.
    """
    machine.need(UNIT, "TAILNET-01")
    found = machine.tailnet_status.get("BackendState")
    assert found == "Running", f"tailscaled is {found}"
    wanted, prefs, node = machine.wanted["tailnet"], machine.tailnet_settings, machine.tailnet_status["Self"]
    tags = " ".join(sorted(node.get("Tags") or []))
    wrong = [] if tags == wanted["tags"] else [f"its tags are {tags or 'none'}, described are {wanted['tags']}"]
    server, name = prefs.get("ControlURL"), prefs.get("Hostname")
    wrong += (
        [] if server == wanted["login_server"] else [f"its control server is {server}, not {wanted['login_server']}"]
    )
    wrong += [] if name == wanted["hostname"] else [f"it is called {name}, not {wanted['hostname']}"]
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="TAILNET-03", severity="high", source="sparkfleet")
def test_the_described_address_is_the_hosts_own(machine: Machine) -> None:
    """The address that the description has for this host in its tailnet is the host's own.

    The addresses of the node against hosts.<name>.addresses.
    """
    own = joined(machine).get("TailscaleIPs") or []
    described = [address for address in machine.wanted["addresses"] if in_tailnet(address)]
    if not described:
        pytest.skip(f"no address of a tailnet is described; the host has {', '.join(own)}")
    strange = [address for address in described if address not in own]
    assert not strange, f"described: {', '.join(strange)}; the host has {', '.join(own)}"


@pytest.mark.control(id="TAILNET-04", severity="high", source="sparkfleet")
def test_sshd_is_the_only_way_in(machine: Machine) -> None:
    """No second way in: Tailscale SSH and its web client are off, and nothing is routed through this node, or served.

    The node's own settings; what `tailscale serve` publishes, where described JupyterLab alone.
    """
    joined(machine)
    prefs = machine.tailnet_settings
    on = [word for word in ("RunSSH", "RunWebClient", "ExitNodeID", "AdvertiseRoutes") if prefs.get(word)]
    on += ["RouteAll"] if prefs.get("RouteAll") else []
    assert not on, f"set: {', '.join(on)}"
    jupyter = machine.wanted["jupyter"]
    ours = {str(jupyter["port"]): {"TCPForward": f"127.0.0.1:{jupyter['port']}"}} if jupyter.get("served") else {}
    served = {**machine.tailnet_serves}
    strange = [port for port, to in (served.pop("TCP", None) or {}).items() if ours.get(port) != to]
    assert not [*strange, *served], f"served to the tailnet: {', '.join(sorted([*strange, *served]))}"


@pytest.mark.control(id="TAILNET-05", severity="medium", source="sparkfleet")
def test_names_of_the_tailnet_hide_none_of_the_site(machine: Machine) -> None:
    """The tailnet changes neither the host's names nor, by auto-update, its programs.

    The node's own settings.
    """
    joined(machine)
    prefs = machine.tailnet_settings
    assert not prefs.get("CorpDNS"), "the tailnet's DNS is accepted (accept-dns)"
    assert not (prefs.get("AutoUpdate") or {}).get("Apply"), "tailscale updates itself, past apt"


@pytest.mark.control(id="TAILNET-06", severity="high", source="sparkfleet")
def test_the_nodes_identity_is_for_root_alone(machine: Machine) -> None:
    """The node's private keys can be read by root alone.

    Owner and mode of tailscaled's folder and of each file in it.
    """
    found = {path: at for path, at in machine.files.items() if path.startswith(STATE)}
    loose = [f"{path} is {at}" for path, at in found.items() if at.owner != "root" or at.mode & 0o077]
    assert found, f"there is no {STATE}"
    assert not loose, "; ".join(loose)


@pytest.mark.control(id="TAILNET-07", severity="medium", source="sparkfleet")
def test_the_nodes_key_does_not_end_soon(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """The node's key does not end within two weeks: the host would fall out of its tailnet.

    The end that the control server gave it; a tagged node's key has none.
    """
    text = joined(machine).get("KeyExpiry")
    if not text:
        record_property("evidence", "it has no end")
        return
    left = dt.datetime.fromisoformat(text) - dt.datetime.now(tz=dt.UTC)
    assert left > SOON, f"it ends in {left.days} days; `spark rotate tailnet` makes another one"
    record_property("evidence", f"it ends in {left.days} days")


@pytest.mark.control(id="TAILNET-08", severity="medium", source="sparkfleet")
def test_direct_connections_come_to_the_described_port(machine: Machine) -> None:
    """Tailscaled takes its peers' packets on the described port, which the firewall lets in.

    Its UDP sockets.
    """
    joined(machine)
    port = machine.wanted["tailnet"]["port"]
    found = {one.port for one in machine.listeners if one.protocol == "udp" and one.process == "tailscaled"}
    assert port in found, f"it uses {', '.join(map(str, sorted(found))) or 'no port'}, described is {port}"
