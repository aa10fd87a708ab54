"""The policy that `spark tailnet policy` renders, in force in a real tailnet → who really reaches what.

Real: the nodes, their tailscaled, its packet filter, every connection. Simulated: the control server, which is ours,
and what it makes of a policy: tests/sparkfleet/host/tailnet_engine.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from lab import spark, tailnet, toolchain
from lab.errors import LabError
from sparkfleet import config
from sparkfleet.host import tailnet_policy
from tests.lab import speaking
from tests.sparkfleet.host.tailnet_engine import Node, Tailnet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.instance import Instance

pytestmark = [pytest.mark.lab, pytest.mark.drill]

WORKER, MONITOR = "spark-86", "spark-87"  # of this file's own
SSH, EXPORTER, JUPYTER, OPENED, CLOSED = PORTS = (22, 9810, 8888, 8000, 3000)
EVERYTHING = {"SrcIPs": ["*"], "DstPorts": [{"IP": "*", "Ports": {"First": 0, "Last": 65535}}]}
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet --no-install-recommends install tailscale"
LISTEN = "for port in {ports}; do systemd-run --quiet python3 -m http.server $port; done"
ASK = 'for p in {ports}; do (timeout {limit} bash -c ": </dev/tcp/{to}/$p" 2>/dev/null && echo $p) & done; wait'
ANSWERS_WITHIN_S, IN_FORCE_WITHIN_S = 3, 30.0


@pytest.fixture(scope="module")
def lab(lab_instance: Instance) -> Iterator[Instance]:
    """Two nodes; the worker listens at every port in question, and its JupyterLab is served by tailscaled."""
    hosts = [WORKER, MONITOR]
    spark.boot(lab_instance, hosts)
    tailnet.up(lab_instance, hosts, toolchain.ensure(toolchain.TAILNET))
    key = tailnet.auth_key_file(lab_instance).read_text().strip()
    for host in hosts:
        join = f"tailscale up --auth-key=file:/root/key --login-server={lab_instance.login_server} --timeout=20s"
        script = f"umask 077; echo {key} >/root/key; {INSTALL}; {join} --hostname={host} --accept-dns=false"
        speaking.as_root(lab_instance, host, script)
    serve = f"tailscale serve --bg --yes --tcp {JUPYTER} tcp://127.0.0.1:{EXPORTER}"
    speaking.as_root(lab_instance, WORKER, f"{LISTEN.format(ports=f'{EXPORTER} {OPENED} {CLOSED}')}; {serve}")
    yield lab_instance
    tailnet.admin(lab_instance).set_filter([EVERYTHING])
    for host in hosts:
        tailnet.admin(lab_instance).delete(host)


@pytest.fixture(scope="module")
def policy(lab: Instance) -> dict[str, Any]:
    """The rendered policy of these two, operated from this machine, which is a node of its own."""
    roles = {WORKER: ["exporter", "node", "jupyter"], MONITOR: ["monitor"]}
    described = {
        "fleet": "office",
        "hosts": {
            host: {"addresses": [lab.tailnet_address(host)], "roles": ["tailnet", *more]}
            for host, more in roles.items()
        },
        "access": {"users": {"alice": {}}, "tailnet_only": True, "open": {"tailscale0": [f"tcp/{OPENED}"]}},
        "jupyter": {"user": "alice"},
        "tailnet": {"auth_key": "env:KEY", "policy": {"operators": ["tag:controller"]}},
    }
    return tailnet_policy.document(config.parse(described))


def from_here(lab: Instance) -> set[int]:
    """The ports of the worker to which this machine can connect, as the node that it is."""

    def connects(port: int) -> bool:
        try:
            socket.create_connection((lab.tailnet_address(WORKER), port), ANSWERS_WITHIN_S).close()
        except OSError:
            return False
        return True

    with ThreadPoolExecutor(len(PORTS)) as pool:
        return {port for port, connected in zip(PORTS, pool.map(connects, PORTS), strict=True) if connected}


def from_the_monitor(lab: Instance) -> set[int]:
    """The same, from the other stand-in."""
    address = lab.tailnet_address(WORKER)
    script = ASK.format(ports=" ".join(map(str, PORTS)), to=address, limit=ANSWERS_WITHIN_S)
    return set(map(int, speaking.as_root(lab, MONITOR, script).split()))


def becomes(what: Callable[[], set[int]], wanted: set[int]) -> set[int]:
    """What `what` says once it says `wanted`, or when the time is over."""
    until = time.monotonic() + IN_FORCE_WITHIN_S
    while (said := what()) != wanted and time.monotonic() < until:
        time.sleep(0.2)
    return said


def test_what_tailscaled_serves_never_comes_to_the_hosts_firewall(lab: Instance) -> None:
    """With every node let in, a table that drops all but sshd's port closes the others, and not JupyterLab's."""
    chain = f'type filter hook input priority -5; iifname "tailscale0" tcp dport != {SSH} drop'
    table = f"table inet closed {{ chain input {{ {chain}\n}}\n}}"
    assert speaking.as_root(lab, WORKER, f"nft -f - <<<'{table}'") == ""
    try:
        assert becomes(lambda: from_the_monitor(lab), {SSH, JUPYTER}) == {SSH, JUPYTER}
    finally:
        speaking.as_root(lab, WORKER, "nft delete table inet closed")


def test_nodes_let_through_what_the_policy_grants_and_nothing_else(lab: Instance, policy: dict[str, Any]) -> None:
    """Before it, everybody reaches everything; with it, operators and the monitor reach what they are granted.

    What tailscaled serves itself, past the host's firewall, is asked for as well: the policy alone guards that.
    """
    assert becomes(lambda: from_here(lab), {*PORTS}) == {*PORTS}
    assert becomes(lambda: from_the_monitor(lab), {*PORTS}) == {*PORTS}
    nodes = [Node(one.name, one.addresses, tags=one.tags) for one in tailnet.admin(lab).nodes().values()]
    net = Tailnet(policy, nodes)

    tailnet.admin(lab).set_filter(net.rules)

    assert becomes(lambda: from_here(lab), {SSH, JUPYTER, OPENED}) == {SSH, JUPYTER, OPENED}
    assert becomes(lambda: from_the_monitor(lab), {SSH, EXPORTER}) == {SSH, EXPORTER}
    assert net.failures() == []


def test_no_filter_is_not_taken_for_an_open_one(lab: Instance) -> None:
    """Nodes would keep the rules that they have; the control server says so instead."""
    with pytest.raises(LabError, match="at least one rule"):
        tailnet.admin(lab).set_filter([])
