"""An instance with stand-ins and a stack → what tests ask of it: the very commands that a user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from lab import down, env, provision, spark, stack
from lab import up as raising
from lab.instance import Instance, host_names
from lab.progress import Progress
from tests import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lab.spark.factory import Variant


JOURNAL = ["journalctl", "-q", "-D"]
until = partial(waiting.until, every_s=0.5)  # what is looked at is mostly a host, over SSH


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    code: int
    text: str  # stdout and stderr, in order

    def document(self) -> dict[str, Any]:
        """The JSON of `--json`, without the error that may stand behind it."""
        return dict(json.loads(self.text.partition("\nspark: ")[0]))


@dataclass(frozen=True)
class FleetUnderTest:
    """Stand-ins in a lab of their own, described by their own stack file."""

    instance: Instance
    stack: str
    hosts: list[str]
    checkout: Path | None = None  # another one than the tests'

    @property
    def words(self) -> dict[str, str]:
        """What `make env` exports."""
        words = {**os.environ, **env.process(self.instance, self.stack), "NO_COLOR": "1"}
        return words | ({"PYTHONPATH": str(self.checkout)} if self.checkout else {})

    @property
    def description(self) -> Path:
        """The stack's file."""
        return stack.file(self.instance, self.stack)

    def run(self, *command: str, timeout_s: float = 600) -> Run:
        """Run a user's command in the project."""
        done = subprocess.run(
            command,
            cwd=self.checkout or self.instance.root,
            env=self.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def pulumi(self, *words: str) -> Run:
        """`pulumi … --non-interactive`."""
        return self.run("pulumi", *words, "--non-interactive", "--color=never")

    def up_in_background(self) -> subprocess.Popen[bytes]:
        """`pulumi up` that nobody waits for, in a session of its own: to be killed."""
        return subprocess.Popen(
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
            cwd=self.instance.root,
            env=self.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def spark(self, *words: str) -> Run:
        """`spark …`."""
        return self.run(str(Path(sys.executable).with_name("spark")), *words)

    def verify(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the document of `spark verify`."""
        done = self.spark("verify", *words, "--json", "-")
        return done.code, done.document()

    def changes(self, *hosts: str) -> dict[str, list[dict[str, Any]]]:
        """What `spark plan --json` says, by host."""
        done = self.spark("plan", *hosts, "--json")
        assert done.code == 0, done.text
        return {host: found["changes"] for host, found in json.loads(done.text).items()}

    def adopt(self, host: str) -> Run:
        """`spark adopt`, with the fingerprint that the owner reads on the console."""
        return self.run(*provision.adopt(self.instance, host))

    def tree(self, host: str) -> Path:
        """The stand-in's root directory, as somebody at its console sees it."""
        return spark.tree(self.instance, host)

    def on(self, host: str, command: str) -> Run:
        """Run a command on a host as root, over SSH as the automation user."""
        folder = self.instance.folder
        return self.run(
            "ssh", "-F", "none", "-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", f"HostKeyAlias={host}",
            "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-i", str(folder / "keys" / "automation"),
            f"sparkfleet@{self.instance.address(host)}", f"sudo -n sh -c '{command}'",
        )  # fmt: skip

    def logins(self, host: str) -> int:
        """How many SSH logins the stand-in's sshd has accepted, read from its journal without logging in."""
        done = subprocess.run(
            [
                "journalctl",
                "-D",
                str(self.tree(host) / "var/log/journal"),
                "-q",
                "-o",
                "cat",
                "-g",
                "Accepted publickey",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return len(done.stdout.splitlines())

    def described(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit the stack file: `change` gets its `config` map."""
        document = yaml.safe_load(self.description.read_text())
        change(document["config"])
        self.description.write_text(yaml.safe_dump(document, sort_keys=False))


F = TypeVar("F", bound="FleetUnderTest")


@contextmanager
def adopted_fleet(
    kind: type[F],
    name: str,
    sparks: int,
    change: Callable[[dict[str, Any]], None],
    *,
    variants: Mapping[str, Variant] | None = None,
    tailnet: bool = False,
) -> Iterator[F]:
    """The lab of that name with so many stand-ins, adopted, and an empty stack whose `config` map `change` has edited.

    Stand-ins that `variants` does not name are classic. All of it is removed afterwards, also on failure.
    """
    instance = Instance.named(name)
    down.down(name)
    described = stack.file(instance, stack.name(instance, sparks, tailnet=tailnet))
    described.unlink(missing_ok=True)
    try:
        for host, variant in (variants or {}).items():
            spark.boot(instance, [host], variant)
        with Progress() as progress:
            made = raising.up(
                instance, progress, sparks=sparks, variant="classic", provisioned=False, with_tailnet=tailnet
            )
        fleet = kind(instance, stack.write(instance, sparks, tailnet=tailnet), host_names(sparks))
        assert made.hosts == fleet.hosts
        fleet.described(change)
        for host in fleet.hosts:
            adopted = fleet.adopt(host)
            assert adopted.code == 0, adopted.text
        provision.init(instance, fleet.stack, env.process(instance, fleet.stack))
        yield fleet
    finally:
        down.down(name)
        described.unlink(missing_ok=True)
