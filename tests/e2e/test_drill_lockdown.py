"""A lockdown that goes wrong, in each way in turn and on both variants → the LAN opens again within the window.

Each time the controller is halted between apply and proof, the LAN is seen closed, the fault is made, and then nobody
helps. What is measured is the time from the fault to the first login over the LAN; the table is what the decision
record 0014 shows.
"""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab import tailnet
from tests.e2e.locked_down import VARIANTS, WINDOW_S, InTailnet, accepts, at, fleet_in_tailnet
from tests.e2e.under_test import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.lab, pytest.mark.drill]

SLACK_S = 5.0  # of two loaded cores: a login takes a second there
JUMP_S = 120.0
LOCKDOWN_FAILED, KILLED = 11, -signal.SIGKILL
AT_THE_PROOF = "prove it by a new connection"
JUST_BEFORE = "Let services take up what changed"  # the proof's connection would have begun with the old host key


class Row(NamedTuple):
    """One fault on one host."""

    fault: str
    host: str
    seconds: float
    why: str


def stopped(fleet: InTailnet, host: str, _run: subprocess.Popen[str]) -> None:
    """Nobody speaks for the host's node any more."""
    fleet.console(host, "systemctl stop tailscaled.service")


def wrong_rules(fleet: InTailnet, host: str, _run: subprocess.Popen[str]) -> None:
    """A table that closes the tailnet too, to connections that are open as well."""
    fleet.console(host, "nft insert rule inet sparkfleet input iifname tailscale0 tcp dport 22 drop")


def killed(_fleet: InTailnet, _host: str, run: subprocess.Popen[str]) -> None:
    """No controller any more."""
    run.kill()


def rebooted(fleet: InTailnet, host: str, _run: subprocess.Popen[str]) -> None:
    """A power cut: what was not on the disk is gone."""
    fleet.power_cut(host)


def other_host_key(fleet: InTailnet, host: str, _run: subprocess.Popen[str]) -> None:
    """Sshd shows another key than the pinned one."""
    key = "/etc/ssh/ssh_host_ed25519_key"
    fleet.console(host, f"rm {key} {key}.pub; ssh-keygen -q -t ed25519 -N '' -f {key}")
    fleet.console(host, "systemctl try-restart ssh.service")


def other_address(fleet: InTailnet, host: str, _run: subprocess.Popen[str]) -> None:
    """The tailnet gives the host another address."""
    other = fleet.instance.tailnet_address(host).rpartition(".")[0] + f".{90 + int(host[-2:])}"
    tailnet.admin(fleet.instance).set_address(host, other)


FAULTS: list[Callable[[InTailnet, str, subprocess.Popen[str]], None]] = [
    stopped,
    wrong_rules,
    killed,
    rebooted,
    other_host_key,
    other_address,
]


@pytest.fixture(scope="module")
def opened() -> Iterator[InTailnet]:
    """Both variants, joined and converged, open to their LAN; the description now says that they should not be."""
    with fleet_in_tailnet("drill") as fleet:
        fleet.described(lambda config: config["sparkfleet:access"].update(tailnet_only=False))
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        fleet.described(lambda config: config["sparkfleet:access"].update(tailnet_only=True))
        yield fleet


def at_the_proof(fleet: InTailnet, host: str, words: str = AT_THE_PROOF) -> subprocess.Popen[str]:
    """A lockdown that is halted when all is applied and nothing proven: the LAN is closed."""
    assert all(accepts(address, 22) for address in fleet.lan(host))
    # A run that was killed leaves the host's lock within 30 s.
    until(lambda: free(fleet, host), f"nobody has {host}", within_s=45)
    run = fleet.lockdown(host)
    at(run, words)
    os.kill(run.pid, signal.SIGSTOP)
    assert not any(accepts(address, 22, 0.5) for address in fleet.lan(host))
    return run


def free(fleet: InTailnet, host: str) -> bool:
    """Whether no run holds the host, as its own lock says."""
    lock = "/run/sparkfleet/lock"
    return "free" in fleet.console(
        host, f"[ ! -e {lock} ] && echo free || flock --nonblock --shared {lock} echo free || true"
    )


def back_within(fleet: InTailnet, host: str, began: float, within_s: float) -> float:
    """Seconds from `began` until a login over the LAN succeeds, which must come within so many."""
    until(
        lambda: fleet.enter(host, fleet.lan(host)[0], within_s=1).code == 0,
        f"a login to {host} over its LAN",
        within_s=within_s - (time.monotonic() - began) + SLACK_S,
        every_s=0.1,
    )
    return time.monotonic() - began


def one(fleet: InTailnet, host: str, fault: Callable[[InTailnet, str, subprocess.Popen[str]], None]) -> Row:
    """Make the fault on one host and wait."""
    run = at_the_proof(fleet, host, JUST_BEFORE if fault is other_host_key else AT_THE_PROOF)
    try:
        began = time.monotonic()
        fault(fleet, host, run)
        run.send_signal(signal.SIGCONT)
        seconds = back_within(fleet, host, began, WINDOW_S)
        said, _ = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == (KILLED if fault is killed else LOCKDOWN_FAILED), said
    last = json.loads(fleet.console(host, "cat /var/lib/sparkfleet-guard/last.json"))
    if fault is other_address:
        tailnet.admin(fleet.instance).set_address(host, fleet.instance.tailnet_address(host))
    address = fleet.instance.tailnet_address(host)
    until(lambda: fleet.enter(host, address).code == 0, f"{host} over its tailnet", within_s=60)
    return Row(fault.__name__, host, seconds, last["why"])


def show(rows: list[Row]) -> None:
    """The table, for the log of the drill."""
    print(f"\n| fault | variant | back after (s, simulated) | why it was undone |\n|{'---|' * 4}")
    for row in rows:
        print(f"| {row.fault} | {VARIANTS[row.host]} | {row.seconds:.1f} | {row.why[:80]} |")


def test_every_fault_is_undone_within_the_window(opened: InTailnet, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever breaks between apply and proof, the owner logs in over the LAN again within the window, without help."""
    rows = []
    for fault in FAULTS:
        with ThreadPoolExecutor(len(opened.hosts)) as pool:
            rows += pool.map(lambda host, fault=fault: one(opened, host, fault), opened.hosts)
        with capsys.disabled():
            show(rows[-len(opened.hosts) :])
    assert max(row.seconds for row in rows) < WINDOW_S + SLACK_S


def test_a_jump_of_the_clock_neither_fires_nor_delays_the_timer(opened: InTailnet) -> None:
    """Two minutes forward, for three seconds, in a window of fifteen: the guard waits; after its own time it acts.

    The clock belongs to the whole machine, so it goes back by the monotonic clock, whatever happens.
    """
    host = opened.hosts[0]
    run = at_the_proof(opened, host)
    began, real = time.monotonic(), time.clock_gettime(time.CLOCK_REALTIME)
    run.kill()
    try:
        time.clock_settime(time.CLOCK_REALTIME, real + JUMP_S)
        time.sleep(3)
        shown = opened.console(host, "systemctl show 'sparkfleet-guard-*.timer' -P TimersMonotonic -P TimersCalendar")
        assert not accepts(opened.lan(host)[0], 22)
    finally:
        time.clock_settime(time.CLOCK_REALTIME, real + time.monotonic() - began)
    assert "OnActiveUSec=15s" in shown
    assert "OnCalendar" not in shown
    seconds = back_within(opened, host, began, WINDOW_S)
    assert seconds > WINDOW_S / 2
    show([Row("clock", host, seconds, "nobody confirmed in time")])


def test_then_the_lockdown_succeeds(opened: InTailnet) -> None:
    """After all that, one run closes both."""
    done = opened.spark("lockdown")
    assert done.code == 0, done.text
    for host in opened.hosts:
        assert not any(accepts(address, 22) for address in opened.lan(host))
