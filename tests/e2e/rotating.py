"""A lab → what tests of rotations ask of it: to kill one at its Nth act, who is let in, which keys are refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest, Run

KILLER = Path(__file__).with_name("killer")
SPARK = str(Path(sys.executable).with_name("spark"))


@dataclass(frozen=True)
class Keys:
    """Copies of everything that opens or names a host, as it was at one moment."""

    folder: Path
    fleet: FleetUnderTest

    @classmethod
    def copied(cls, fleet: FleetUnderTest, folder: Path) -> Keys:
        """What there is now."""
        folder.mkdir(parents=True)
        shutil.copy2(fleet.instance.folder / "keys" / "automation", folder)
        shutil.copy2(fleet.instance.folder / "known_hosts", folder)
        for host in fleet.hosts:
            shutil.copy2(fleet.tree(host) / "etc/sparkfleet/s3.json", folder / f"{host}.json")
        return cls(folder, fleet)

    def address(self, host: str) -> str:
        """The first described one."""
        hosts = yaml.safe_load(self.fleet.description.read_text())["config"]["sparkfleet:hosts"]
        return str(hosts[host]["addresses"][0])

    def login(
        self, host: str, *, key: Path | None = None, pins: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Plain OpenSSH with exactly one of our keys and one of our known_hosts; the current ones unless given."""
        controller = self.fleet.instance.folder
        return subprocess.run(
            [
                "ssh", "-F", "none", "-o", f"UserKnownHostsFile={pins or controller / 'known_hosts'}",
                "-o", "GlobalKnownHostsFile=/dev/null", "-o", f"HostKeyAlias={host}", "-o", "StrictHostKeyChecking=yes",
                "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", str(key or controller / "keys" / "automation"),
                "-o", "ControlPath=none", f"sparkfleet@{self.address(host)}", "sudo -n id -u",
            ],
            capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def run_killed(fleet: FleetUnderTest, at: int, log: Path, *words: str) -> tuple[bool, str]:
    """`spark …`, killed at its Nth act; whether it was, and which act that was."""
    log.unlink(missing_ok=True)
    environment = {
        **fleet.words,
        "PYTHONPATH": str(KILLER),
        "KILL_AT": str(at),
        "KILL_LOG": str(log),
        "KILL_ROOT": str(fleet.instance.folder),
    }
    done = subprocess.run(
        [sys.executable, SPARK, *words],
        cwd=fleet.instance.root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    acts = log.read_text().splitlines()
    if done.returncode != -signal.SIGKILL:
        assert done.returncode == 0, done.stdout + done.stderr
        return False, ""
    return True, acts[-1]


def opens(keys: Keys, host: str) -> list[str]:
    """Which of the controller's own keys let it in and make it root, by the pins that it has now."""
    folder = keys.fleet.instance.folder / "keys"
    files = [folder / f"automation{which}" for which in ("", ".new", ".old")]
    return [file.name for file in files if file.exists() and keys.login(host, key=file).stdout.strip() == "0"]


def store_answers(fleet: FleetUnderTest, host: str, secret: dict[str, Any]) -> str:
    """What the store says to a listing of the host's own prefix: "ok" or the code of its refusal."""
    client = boto3.client(
        "s3",
        endpoint_url=fleet.instance.endpoint,
        region_name="us-east-1",
        aws_access_key_id=secret["AccessKeyId"],
        aws_secret_access_key=secret["SecretAccessKey"],
    )
    try:
        client.list_objects_v2(Bucket="lab-datasets", Prefix=f"hosts/{host}/")
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def key_on(fleet: FleetUnderTest, host: str) -> dict[str, Any]:
    """The object-store key that lies on the host."""
    found: dict[str, Any] = json.loads((fleet.tree(host) / "etc/sparkfleet/s3.json").read_text())
    return found


def records(fleet: FleetUnderTest) -> list[dict[str, Any]]:
    """The audit log."""
    (log,) = (fleet.instance.folder / "audit").glob("*.jsonl")
    return [json.loads(line) for line in log.read_text().splitlines()]


def leftovers(fleet: FleetUnderTest) -> list[str]:
    """What a rotation keeps while it is under way, on the controller and on the hosts."""
    folder = fleet.instance.folder
    here = [*(folder / "keys").iterdir(), *(folder / "secrets" / "s3").iterdir(), *folder.glob(".only-*")]
    there = [file for host in fleet.hosts for file in (fleet.tree(host) / "etc/ssh").iterdir()]
    endings = (".new", ".old", "sparkfleet-new", "sparkfleet-old", ".unfinished", ".making", ".linking")
    return [file.name for file in (*here, *there) if file.name.endswith(endings) or file.name.startswith(".only-")]


def clean(fleet: FleetUnderTest) -> Run:
    """`spark plan`, which must find nothing."""
    return fleet.spark("plan", "--detailed-exitcode")
