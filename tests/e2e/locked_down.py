"""A lab with a tailnet, one stand-in of each variant → what the tests of the lockdown ask of it and do to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import shell, spark
from tests.e2e.under_test import FleetUnderTest, Run, adopted_fleet, until

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_S = 15
VARIANTS: dict[str, spark.factory.Variant] = {"spark-01": "classic", "spark-02": "socket"}


@dataclass(frozen=True)
class InTailnet(FleetUnderTest):
    """The fleet; each host has an address in the tailnet and two on the bridge, which is its LAN."""

    def lan(self, host: str) -> tuple[str, str]:
        """IPv4 and IPv6."""
        return self.instance.address(host), self.instance.address6(host)

    def console(self, host: str, command: str) -> str:
        """What a command says that somebody types at the host's own console; it needs no network."""
        first = spark.first_process(self.instance, host)
        done = subprocess.run(
            ["nsenter", "-t", str(first), "-a", "sh", "-c", command],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def enter(self, host: str, address: str, command: str = "true", *, within_s: int = 2) -> Run:
        """A new login as the automation user, at exactly that address."""
        folder = self.instance.folder
        return self.run(
            "ssh", "-F", "none", "-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", f"HostKeyAlias={host}",
            "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={within_s}",
            "-i", str(folder / "keys" / "automation"), f"sparkfleet@{address}", command,
        )  # fmt: skip

    def lockdown(self, host: str) -> subprocess.Popen[str]:
        """`spark lockdown` in the background; what it says comes line by line."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("spark")), "lockdown", host],
            cwd=self.instance.root,
            env=self.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def power_cut(self, host: str) -> None:
        """End the stand-in at once and boot it again; returns when sshd answers somewhere.

        What it had not yet written to the disk is there all the same: that loss is not simulated.
        """
        os.kill(spark.first_process(self.instance, host), signal.SIGKILL)  # with it the kernel ends them all
        link = f"vb-sf-{self.instance.name}-{host}"
        until(lambda: link not in shell.run("ip", "link", "show"), f"the end of {host}'s network", within_s=20)
        spark.halt(self.instance, host)  # what is left of it: mounts
        spark.boot(self.instance, [host])


@contextlib.contextmanager
def fleet_in_tailnet(name: str) -> Iterator[InTailnet]:
    """The lab of that name, adopted and described, not provisioned; removed afterwards, also on failure."""

    def change(config: dict[str, Any]) -> None:
        config["sparkfleet:access"].update(proof_window_s=WINDOW_S)

    with adopted_fleet(InTailnet, name, len(VARIANTS), change, variants=VARIANTS, tailnet=True) as fleet:
        yield fleet


def accepts(address: str, port: int, within_s: float = 1.0) -> bool:
    """Whether a TCP connection from this machine is accepted."""
    try:
        socket.create_connection((address, port), within_s).close()
    except OSError:
        return False
    return True


def at(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process says until a line with these words comes; returns all of it."""
    said = []
    assert process.stdout
    for line in process.stdout:
        said.append(line)
        if words in line:
            return "".join(said)
    raise AssertionError(f"{words!r} never came:\n{''.join(said)}")
