"""`pulumi up` with access.tailnet_only on a fresh fleet → entered over its tailnet alone, and never locked out."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from lab import spark
from tests.e2e.locked_down import WINDOW_S, InTailnet, accepts, at, fleet_in_tailnet
from tests.e2e.under_test import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab

PUBLISHED = 8088
# What `docker run -p 8088:80` leaves: a bridge, a network of the container's own, its address behind a translation.
CONTAINER = f"""
ip link add docker0 type bridge && ip address add 172.31.0.1/24 dev docker0 && ip link set docker0 up
unshare --net sh -c 'ip link set lo up; sleep 600' >/dev/null 2>&1 & box=$!
until [ "$(readlink /proc/$box/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add veth0 type veth peer name eth0 netns $box && ip link set veth0 master docker0 up
nsenter -t $box -n ip address add 172.31.0.2/24 dev eth0
nsenter -t $box -n sh -c 'ip link set eth0 up; ip route add default via 172.31.0.1'
nsenter -t $box -n python3 -m http.server 80 >/dev/null 2>&1 &
sysctl -qw net.ipv4.ip_forward=1
nft 'table ip docker_like {{
  chain in {{
    type nat hook prerouting priority dstnat
    fib daddr type local tcp dport {PUBLISHED} dnat to 172.31.0.2:80
  }}
  chain forward {{
    type filter hook forward priority filter
    oifname "docker0" accept
  }}
}}'
"""


@pytest.fixture(scope="module")
def closed() -> Iterator[InTailnet]:
    """A classic stand-in and one with ssh.socket and NetworkManager, locked down by their first `pulumi up`."""
    with fleet_in_tailnet("drill") as fleet:
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        yield fleet


def test_only_the_tailnet_is_open(closed: InTailnet) -> None:
    """Port 22 is closed on the LAN in IPv4 and IPv6, while a login over the tailnet succeeds; on both variants."""
    for host in closed.hosts:
        assert [accepts(address, 22) for address in closed.lan(host)] == [False, False]
        entered = closed.enter(host, closed.instance.tailnet_address(host), 'echo "$SSH_CONNECTION"')
        assert entered.text.split()[2] == closed.instance.tailnet_address(host)


def test_a_second_run_proves_it_anew(closed: InTailnet) -> None:
    """`spark lockdown` on a host that is closed changes nothing, says over what it is proven, and who is refused."""
    host = closed.hosts[0]
    again = closed.spark("lockdown", host)
    assert again.code == 0, again.text
    assert "apply 0 setting(s)" in again.text
    assert f"proven over {closed.instance.tailnet_address(host)}" in again.text
    assert f"at {', '.join(closed.lan(host))}" in again.text


def test_a_port_that_a_container_publishes_is_closed_too(closed: InTailnet) -> None:
    """It comes by translation and forwarding, past every rule for input: open in the tailnet, closed on the LAN."""
    host = closed.hosts[0]
    closed.console(host, CONTAINER)
    until(lambda: accepts(closed.instance.tailnet_address(host), PUBLISHED), "the container's port", within_s=10)
    assert not accepts(closed.lan(host)[0], PUBLISHED)
    table = closed.console(host, "nft list table inet sparkfleet; nft delete table inet sparkfleet")
    try:
        assert accepts(closed.lan(host)[0], PUBLISHED)  # it was our table that refused it
    finally:
        closed.console(host, "systemctl reload sparkfleet-firewall.service")
    assert closed.console(host, "nft list table inet sparkfleet").count("chain") == table.count("chain")


def test_it_stays_so_after_a_reboot(closed: InTailnet) -> None:
    """Both variants come back closed, with nothing left to undo, and let their owner in over the tailnet."""
    for host in closed.hosts:
        spark.halt(closed.instance, host)
    spark.boot(closed.instance, closed.hosts)
    for host in closed.hosts:
        address = closed.instance.tailnet_address(host)
        until(lambda host=host, address=address: closed.enter(host, address).code == 0, f"{host} over it", within_s=30)
        assert [accepts(lan, 22) for lan in closed.lan(host)] == [False, False]
        assert "armed.json" not in closed.console(host, "ls /var/lib/sparkfleet-guard")
        assert closed.console(host, "systemctl show -P ConditionResult sparkfleet-guard.service").strip() == "no"


def test_a_controller_that_is_killed_leaves_the_old_state(closed: InTailnet) -> None:
    """Kill -9 between apply and proof: within the window the host has what it had before."""
    host = closed.hosts[1]
    setting = "grep ^MaxAuthTries /etc/ssh/sshd_config.d/00-sparkfleet.conf"
    good = closed.description.read_text()
    closed.described(lambda config: config["sparkfleet:access"].update(max_auth_tries=3))
    try:
        run = closed.lockdown(host)
        at(run, "prove it by a new connection")
        os.kill(run.pid, signal.SIGKILL)
        began = time.monotonic()
        assert closed.console(host, setting).split()[1] == "3"
        until(lambda: closed.console(host, setting).split()[1] == "4", "the old setting", within_s=WINDOW_S + 3)
        assert time.monotonic() - began > WINDOW_S - 5
        word = '"why": "nobody confirmed in time"'
        last = "cat /var/lib/sparkfleet-guard/last.json || true"  # written once everything is back
        until(lambda: word in closed.console(host, last), "the guard's word", within_s=10)
        assert closed.enter(host, closed.instance.tailnet_address(host)).code == 0
    finally:
        closed.description.write_text(good)
