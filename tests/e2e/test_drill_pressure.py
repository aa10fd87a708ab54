"""A host whose people use up its memory → its owner still gets in over the tailnet, once a second, for a minute.

The stand-in gets a memory of its own to run out of: a control group around all of it, in which the kernel's killer then
chooses. Not shown here is MemoryMin: it needs version 2 of the memory controller, and many machines that run the lab
have version 1. What people start is seen to die, what lets people in is not.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import record
from tests.e2e.locked_down import fleet_in_tailnet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.locked_down import InTailnet

pytestmark = [pytest.mark.lab, pytest.mark.drill]

GROUPS = Path("/sys/fs/cgroup/memory")
MEMORY = 600 << 20  # bytes: monitor, exporter, sshd, tailscaled and systemd use about 300 MiB of it
PROBES = 60
# Two that eat as fast as they can, a third that keeps reading files: whoever is killed is started again.
EATERS = """
for n in 1 2; do
  systemd-run --quiet --slice=user.slice --unit=eater-$n --property=Restart=always --property=RestartSec=0 \
    --property=StartLimitIntervalSec=0 python3 -c 'all = [bytearray(16 << 20) for _ in range(10_000)]'
done
systemd-run --quiet --slice=user.slice --unit=reader --property=Restart=always --property=StartLimitIntervalSec=0 \
  sh -c 'while :; do find /usr -type f -exec cat {} + >/dev/null 2>&1; done'
"""


@pytest.fixture(scope="module")
def closed() -> Iterator[InTailnet]:
    """Two stand-ins, locked down."""
    if not (GROUPS / "memory.limit_in_bytes").exists():
        pytest.skip("this machine's memory controller is not of version 1")
    with fleet_in_tailnet("drill") as fleet:
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        yield fleet


@pytest.fixture
def short_of_memory(closed: InTailnet) -> Iterator[str]:
    """The first stand-in, everything in it within MEMORY."""
    host = closed.hosts[0]
    group = GROUPS / f"sf-drill-{host}"
    group.mkdir()
    first = record.alive(closed.instance, host)
    assert first is not None
    try:
        for pid in below(first):
            (group / "cgroup.procs").write_text(str(pid))
        (group / "memory.limit_in_bytes").write_text(str(MEMORY))
        yield host
    finally:
        closed.console(host, "systemctl stop eater-1 eater-2 reader")
        for left in (group / "cgroup.procs").read_text().split():
            (GROUPS / "cgroup.procs").write_text(left)
        group.rmdir()


def below(process: int) -> list[int]:
    """A process and all that it has started, and so on."""
    children = [
        int(child) for file in Path(f"/proc/{process}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [process, *(pid for child in children for pid in below(child))]


def test_the_owner_gets_in_while_memory_is_short(closed: InTailnet, short_of_memory: str) -> None:
    """Sixty logins over the tailnet, one a second, while the kernel kills what people started: none fails."""
    host, address = short_of_memory, closed.instance.tailnet_address(short_of_memory)
    guards = "systemctl show -P MainPID ssh.service tailscaled.service"
    before = closed.console(host, guards)
    closed.console(host, EATERS)
    failed, slowest, begin = [], 0.0, time.monotonic()
    for second in range(PROBES):
        time.sleep(max(0.0, begin + second - time.monotonic()))
        asked = time.monotonic()
        entered = closed.enter(host, address, "true", within_s=5)
        slowest = max(slowest, time.monotonic() - asked)
        if entered.code:
            failed.append((second, entered.text))
    killed = int(closed.console(host, "systemctl show -P NRestarts eater-1"))
    print(f"\n{PROBES} logins (simulated host), slowest {slowest:.2f} s; the first eater was killed {killed} times")
    assert failed == []
    assert killed > 0
    assert closed.console(host, guards) == before  # neither was killed and started again
