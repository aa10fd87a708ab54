"""Hosts that share the loop's work: nobody else has it done there, and nobody is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reading import firewall_verdicts
from told_label import RAY

if TYPE_CHECKING:
    from machine import Machine

REFUSED = "InvalidAuthToken"
# Who has no token asks for the machines, as Ray's own tools do.
ASK = "RAY_AUTH_MODE=disabled timeout 30 /opt/sparkfleet/ray/bin/python -IB -m ray.scripts.scripts health-check"


@pytest.fixture
def ray(machine: Machine) -> dict[str, Any]:
    """What is described of the host's part of Ray."""
    wanted: dict[str, Any] = machine.wanted["label"]["ray"]
    if not wanted:
        pytest.skip("the host shares no work: label.ray does not name it")
    return wanted


def running(machine: Machine) -> None:
    """Skip what makes no sense without it."""
    if machine.ray_unit["ActiveState"] != "active":
        pytest.skip(f"{RAY} does not run: see LABEL-10")


@pytest.mark.control(id="LABEL-07", severity="high", source="sparkfleet")
def test_ray_asks_for_the_token(machine: Machine, ray: dict[str, Any]) -> None:
    """Whoever has no token has nothing done by Ray: with it programs are run.

    The setting of each of its processes; on the head also what is answered to somebody without one. That the token's
    file is root's alone is BASE-11.
    """
    running(machine)
    settings, _ = machine.ray_processes
    modes = {setting for setting in settings if setting.startswith("RAY_AUTH_MODE=")}
    assert modes == {"RAY_AUTH_MODE=token"}, f"its processes have {', '.join(sorted(modes)) or 'no mode'}"
    if ray["is_head"]:
        said = machine.says(f"{ASK} --address=%s 2>&1; true", ray["head"])
        assert REFUSED in said, f"without a token: {said[-200:] or 'it answers'}"


@pytest.mark.control(id="LABEL-08", severity="high", source="sparkfleet")
def test_the_others_alone_reach_ray(machine: Machine, ray: dict[str, Any]) -> None:
    """The firewall lets the other described machines alone reach Ray, which listens on every address.

    The rules in force about its ports; this controller knocks at the first of them, and must hear nothing.
    """
    first, last = ray["ports"]
    asked: Any = {"range": [first, last]}
    rules = [entry["rule"]["expr"] for entry in machine.firewall if "rule" in entry]
    found = [said for rule in rules for port in (asked, first) for said in firewall_verdicts(rule, port)]
    closed = machine.wanted["tailnet_only"]
    wanted = [*(f"accept {address}" for address in ray["others"]), *([] if closed else ["drop all"])]
    assert found == wanted, f"the rules are: {', '.join(found) or 'none'}; described are: {', '.join(wanted)}"
    if machine.controller not in ray["others"]:
        met = machine.door.knock(first)
        assert met == "silent", f"port {first} is {met} to this controller, which shares no work"


@pytest.mark.control(id="LABEL-09", severity="medium", source="sparkfleet")
def test_ray_listens_where_it_should_and_tells_nobody(machine: Machine, ray: dict[str, Any]) -> None:
    """Ray listens on the described ports alone, none of which is a dashboard's, and tells nobody that it is used.

    The sockets of all processes of its unit, on loopback, too, and what they were told of usage statistics.
    """
    running(machine)
    settings, sockets = machine.ray_processes
    first, last = ray["ports"]
    others = [str(one) for one in sockets if not first <= one.port <= last]
    assert not others, f"it also listens: {', '.join(others)}"
    told = {setting for setting in settings if setting.startswith("RAY_USAGE_STATS_ENABLED=")}
    assert told == {"RAY_USAGE_STATS_ENABLED=0"}, f"its processes have {', '.join(sorted(told)) or 'nothing'}"


@pytest.mark.control(id="LABEL-10", severity="high", source="sparkfleet")
def test_ray_is_the_loops_user(machine: Machine, ray: dict[str, Any]) -> None:
    """Ray runs as the loop's user without any capability, now and after every start, in a folder that is closed.

    What systemd says of its unit; owner and mode of the folder of its sockets, which Ray alone would open.
    """
    unit, user = machine.ray_unit, machine.wanted["label"]["user"]
    state = f"{unit['UnitFileState'] or 'not there'}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{RAY} is {state}\n{machine.journal(RAY)}"
    limits = (unit["User"], unit["CapabilityBoundingSet"], unit["NoNewPrivileges"], unit["ProtectSystem"])
    assert limits == (user, "", "yes", "strict"), f"user, capabilities, no new privileges, protected system: {limits}"
    assert machine.ray_folder == f"{user} 700", f"{ray['folder']} is {machine.ray_folder}"
