"""`spark reset` killed -9 at each of its acts, of hosts in a tailnet with their owners' own settings → as before."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e import footprint, rotating
from tests.e2e.locked_down import fleet_in_tailnet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.footprint import Footprint
    from tests.e2e.locked_down import InTailnet

pytestmark = [pytest.mark.lab, pytest.mark.drill]

LAB = "drill"
HOST, OTHER = "spark-01", "spark-02"
# An owner's own settings where the roles want to be alone, or have something of their own.
OWNERS = """\
printf "# mine\\nClientAliveInterval 77\\n" > /etc/ssh/sshd_config.d/10-mine.conf
chmod 600 /etc/ssh/sshd_config.d/10-mine.conf
mkdir -p /etc/systemd/journald.conf.d /etc/sparkfleet-theirs
printf "[Journal]\\nSystemMaxUse=77M\\n" > /etc/systemd/journald.conf.d/50-sparkfleet.conf
printf "vm.swappiness = 7\\n" > /etc/sysctl.d/60-sparkfleet.conf
ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime
useradd --create-home --groups sudo alice; echo notes > /home/alice/notes
systemctl disable --now systemd-timesyncd 2>/dev/null || true"""


@pytest.fixture(scope="module")
def before() -> dict[str, Footprint]:
    """Host to what it was when it had been adopted and its owner had settled in."""
    return {}


@pytest.fixture(scope="module")
def applied(before: dict[str, Footprint]) -> Iterator[InTailnet]:
    """Both hosts as described, in their tailnet alone; the automation key was rotated since."""
    with fleet_in_tailnet(LAB) as fleet:
        for host in fleet.hosts:
            settled = fleet.on(host, OWNERS)
            assert settled.code == 0, settled.text
            before[host] = footprint.of(fleet, host)
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        rotated = fleet.spark("rotate", "ssh")
        assert rotated.code == 0, rotated.text
        yield fleet


def differences(fleet: InTailnet, host: str, before: Footprint) -> list[str]:
    """What differs from before, but for the automation user's key, which was rotated."""
    found = footprint.unexplained(fleet, host, before)
    return [line for line in found if not line.startswith(footprint.AUTOMATION_KEY)]


def test_a_host_known_by_its_tailnet_alone_is_not_touched(applied: InTailnet) -> None:
    """It would be lost with its tailnet; the message says which address to describe."""
    good = applied.description.read_text()
    applied.described(lambda described: described["sparkfleet:hosts"][HOST]["addresses"].pop())
    try:
        refused = applied.spark("reset", HOST, "--yes", HOST)
    finally:
        applied.description.write_text(good)

    assert refused.code == 14
    assert f"hosts.{HOST}.addresses" in refused.text
    assert applied.changes(HOST) == {HOST: []}


def test_a_host_that_leaves_the_description_is_reset_where_that_was_described(
    applied: InTailnet, before: dict[str, Footprint]
) -> None:
    """`reset: true` reaches the state by an `up` of its own; the next one, without the host, makes it as before."""
    applied.described(lambda described: described["sparkfleet:hosts"][OTHER].update(reset=True))
    told = applied.pulumi("up", "--yes", "--skip-preview")
    assert told.code == 0, told.text
    applied.described(lambda described: described["sparkfleet:hosts"].pop(OTHER))

    left = applied.pulumi("up", "--yes", "--skip-preview")

    assert left.code == 0, left.text
    assert f"{OTHER}: put back everything else" in left.text
    assert differences(applied, OTHER, before[OTHER]) == []
    assert json.loads((applied.instance.folder / "audit/lab.jsonl").read_text().splitlines()[-1])["outcome"] == "done"


def test_killed_at_every_act_a_reset_comes_to_its_end(
    applied: InTailnet, before: dict[str, Footprint], tmp_path: Path
) -> None:
    """After each kill the same command goes on; at the end all is as before and the key of today opens the host."""
    acts = []
    for at in itertools.count(1):
        killed, act = rotating.run_killed(applied, at, tmp_path / "acts", "reset", HOST, "--yes", HOST)
        if not killed:
            break
        acts.append(act)
        print(f"reset: killed at {act}", flush=True)
    last = applied.spark("reset", HOST)

    assert "nothing to take back" in last.text, last.text
    assert len(acts) > 10, acts
    assert differences(applied, HOST, before[HOST]) == []
    assert applied.enter(HOST, applied.lan(HOST)[0], "sudo -n true").code == 0
    assert "BackendState" not in applied.on(HOST, "tailscale status --json").text
