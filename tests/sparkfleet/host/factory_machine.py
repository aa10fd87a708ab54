"""A stand-in in factory state → what tests of adoption do with it: over SSH, with its own sshd, sudo and accounts."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import record, spark
from lab.spark import factory
from sparkfleet.host.adopt import Adoption, AdoptOptions, adopt
from sparkfleet.host.connection import Session, Target
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.instance import Instance

NUMBERS = itertools.count(61)  # those of other tests begin at 01
VENDOR = "factory@vendor.example"
# The command as a process of its own, so that it can be killed and watched.
PROCESS = """
import json, sys, types
from sparkfleet.commands.adopt import adopt
from sparkfleet.model import Fleet
fleet = Fleet.model_validate(json.loads(open(sys.argv[1]).read()))
adopt.main(sys.argv[2:], obj=types.SimpleNamespace(fleet=lambda: fleet))
"""


@dataclass(frozen=True)
class Machine:
    """A stand-in in factory state, and a controller that has never seen it."""

    lab: Instance
    name: str
    fleet: Fleet

    @property
    def tree(self) -> Path:
        """Its files, as seen from here."""
        return spark.tree(self.lab, self.name)

    @property
    def password_file(self) -> Path:
        """Of the set-up user."""
        return factory.password(self.lab)

    @property
    def password(self) -> str:
        """The set-up user's."""
        return self.password_file.read_text().strip()

    @property
    def fingerprint(self) -> str:
        """As its owner reads it on the console."""
        return factory.fingerprint(self.tree)

    @property
    def target(self) -> Target:
        """As the automation user."""
        return Target.of(self.fleet, self.name)

    def options(self, **words: Any) -> AdoptOptions:
        """The owner's words of an unattended adoption."""
        return replace(AdoptOptions(lambda: self.password, fingerprint=self.fingerprint), **words)

    def adopt(self, **words: Any) -> Adoption:
        """Adopt it without a person; a question fails the test."""
        return adopt(self.fleet, self.name, self.options(**words), ask=nobody, say=lambda _: None)

    def as_root(self, line: str) -> str:
        """What a shell line says, run by the automation user as root."""
        with Session(self.target) as session:
            result = session.run("sudo -n sh -s", stdin=line)
        assert result.code == 0, result.stderr
        return result.stdout

    def start(self, folder: Path, *words: str) -> subprocess.Popen[str]:
        """`spark adopt` of this machine as a process."""
        (folder / "fleet.json").write_text(self.fleet.model_dump_json())
        return subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder / "fleet.json"), self.name, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill_script(self, process: subprocess.Popen[str], nth: int) -> bool:
        """Kill the nth script that this adoption runs on the machine; False when it came to its end before."""
        first = spark.first_process(self.lab, self.name)
        inside, seen = Path(f"/proc/{first}/ns/pid").readlink(), set[int]()
        while process.poll() is None:
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    words = entry.read_bytes().split(b"\0")
                    if words[:3] == [b"python3", b"-IS", b"-"] and (entry.parent / "ns/pid").readlink() == inside:
                        seen.add(int(entry.parent.name))
                        if len(seen) == nth:
                            os.kill(int(entry.parent.name), signal.SIGKILL)
                            return True
        return False

    def plant(self, file: str, public: str) -> None:
        """Add a line to a file on the machine, as somebody with the machine in hand could."""
        path = self.tree / file
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("a") as keys:
            keys.write(public)
        owner = (self.tree / file).parent.parent.stat()
        for each in (path, path.parent):
            os.chown(each, owner.st_uid, owner.st_gid)
        path.chmod(0o600)

    def accepts(self, user: str, private: Path) -> bool:
        """Whether sshd lets this user in with this key."""
        said = subprocess.run(
            ["ssh", "-F", "none", "-i", private, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-l", user,
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", self.target.addresses[0], "true"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert said.returncode == 0 or "Permission denied" in said.stderr, said.stderr
        return said.returncode == 0


def nobody(question: str) -> bool:
    """There is no person in an unattended run."""
    pytest.fail(f"was asked: {question}")


def described(lab: Instance, name: str, folder: Path) -> Fleet:
    """A fleet of this one host, whose controller keeps its files in a folder below."""
    return Fleet.model_validate(
        {
            "fleet": "lab",
            "controller": {"folder": str(folder / "controller")},
            "hosts": {name: {"addresses": [lab.address(name)]}},
        }
    )


@contextlib.contextmanager
def fresh(lab: Instance, folder: Path, variant: factory.Variant) -> Iterator[Machine]:
    """A factory machine under a name that no other test uses; thrown away at the end."""
    name = f"spark-{next(NUMBERS)}"
    try:
        spark.boot(lab, [name], variant)
        yield Machine(lab, name, described(lab, name, folder))
    finally:
        record.stop(lab, name, patience_s=0.1)  # nobody misses it: no orderly power-off
        spark.halt(lab, name)
        shutil.rmtree(lab.host(name), ignore_errors=True)


def stray_key(folder: Path) -> tuple[Path, str]:
    """A key that somebody else holds: the private half's file, the public half's line."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stray@vendor", "-f", folder / "stray"], check=True
    )
    return folder / "stray", (folder / "stray.pub").read_text()


def state(machine: Machine) -> dict[str, tuple[int, int, bytes]]:
    """Every file on the machine that adoption could touch: mode, owner, content."""
    folders = ("etc", "home", "root", "var/lib/sparkfleet", "var/lib/sparkfleet-automation")
    files = (p for folder in folders for p in (machine.tree / folder).rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p): (p.stat().st_mode, p.stat().st_uid, p.read_bytes()) for p in files}
