"""Joining, locking down, rotating and verifying, while somebody reads every process list → no secret value is seen.

Sampled are the arguments of all processes, of the stand-ins too. Searched afterwards: Pulumi's state and backups, the
controller's folder but for the secrets' own files, reports, the audit log and its copies, journals and markers.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3
import pytest

from lab import store, tailnet
from lab.spark import factory
from tests.e2e.locked_down import fleet_in_tailnet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.locked_down import InTailnet

pytestmark = [pytest.mark.lab, pytest.mark.drill]

EVERY_S = 0.01
SECRET_PLACES = ("keys", "secrets")


class Sampler:
    """Every line of arguments that any process was seen with."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(EVERY_S):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it ended
                    self.seen.add((process / "cmdline").read_bytes())


@pytest.fixture(scope="module")
def joined() -> Iterator[InTailnet]:
    """Two adopted stand-ins that have not joined yet."""
    with fleet_in_tailnet("drill") as fleet:
        yield fleet


def secrets_now(fleet: InTailnet) -> dict[str, str]:
    """Every secret value that the fleet has at this moment, by what it is."""
    folder, instance = fleet.instance.folder, fleet.instance
    found = {
        "set-up password": factory.password(instance).read_text().strip(),
        "administrator's key": store.credentials(instance)["secret_access_key"],
        "tailnet auth key": tailnet.auth_key_file(instance).read_text().strip(),
        "automation key": (folder / "keys/automation").read_text().splitlines()[2],
    }
    for file in sorted((folder / "secrets/s3").glob("*.json")):
        found[f"object-store key of {file.stem}"] = json.loads(file.read_text())["SecretAccessKey"]
    for host in fleet.hosts:
        tree = fleet.tree(host)
        found[f"host key of {host}"] = (tree / "etc/ssh/ssh_host_ed25519_key").read_text().splitlines()[2]
        state = tree / "var/lib/tailscale/tailscaled.state"
        if state.exists():
            found[f"tailnet state of {host}"] = json.loads(state.read_text())["_machinekey"]
    return found


def audit_copies(fleet: InTailnet) -> dict[str, bytes]:
    """What lies in the bucket of the audit log."""
    admin = store.credentials(fleet.instance)
    client = boto3.client(
        "s3", endpoint_url=fleet.instance.endpoint, region_name="us-east-1",
        aws_access_key_id=admin["access_key_id"], aws_secret_access_key=admin["secret_access_key"],
    )  # fmt: skip
    listed = client.list_objects_v2(Bucket="lab-audit").get("Contents", [])
    return {o["Key"]: client.get_object(Bucket="lab-audit", Key=o["Key"])["Body"].read() for o in listed}


def texts(fleet: InTailnet, reports: Path) -> dict[str, bytes]:
    """Everything that is kept or shown, by where it lies."""
    folder = fleet.instance.folder
    own = [f for f in folder.rglob("*") if f.is_file() and f.relative_to(folder).parts[0] not in SECRET_PLACES]
    mounted = folder / "hosts"  # the stand-ins' disks: their journals and markers are read below
    servers = (folder / "store", folder / "tailnet")  # the lab's store and control server keep keys, as any does
    kept = {str(f): f.read_bytes() for f in own if not any(f.is_relative_to(p) for p in (mounted, *servers))}
    kept |= {str(f): f.read_bytes() for f in reports.rglob("*") if f.is_file()}
    for host in fleet.hosts:
        journal = ["journalctl", "-D", str(fleet.tree(host) / "var/log/journal"), "-q", "-a", "-o", "export"]
        kept[f"journal of {host}"] = subprocess.run(journal, capture_output=True, check=False).stdout
        for file in (fleet.tree(host) / "var/lib/sparkfleet").glob("*.json"):
            kept[str(file)] = file.read_bytes()
    return kept | audit_copies(fleet)


def test_no_secret_is_seen_from_the_join_to_the_last_rotation(joined: InTailnet, tmp_path: Path) -> None:
    """`pulumi up` that joins and locks down, rotation, verify, audit: no value shows anywhere."""
    values = {f"first {what}": value for what, value in secrets_now(joined).items()}
    with Sampler() as sampler:
        for command in (
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
            ["spark", "lockdown"],
            ["spark", "rotate", "all"],
            [
                "spark",
                "verify",
                "--junit",
                tmp_path / "v.xml",
                "--json",
                tmp_path / "v.json",
                "--html",
                tmp_path / "v.html",
            ],
            ["spark", "audit", "--ship", "--verify"],
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        ):
            values |= {f"{what} before {command[1]}": value for what, value in secrets_now(joined).items()}
            done = joined.run(*map(str, command))
            (tmp_path / f"{len(values)}.said").write_text(done.text)
            assert done.code == 0, done.text
    values |= {f"last {what}": value for what, value in secrets_now(joined).items()}
    kept = texts(joined, tmp_path)
    assert len(set(values.values())) > len(secrets_now(joined)) + 2  # rotation has made new ones
    assert len(sampler.seen) > 200
    assert any(name.endswith(f"{joined.stack}.json") for name in kept)
    assert any(b"rotate-ssh" in text for name, text in kept.items() if name.startswith("audit/"))
    shown = [(what, place) for what, value in values.items() for place, text in kept.items() if value.encode() in text]
    shown += [
        (what, "a process list") for what, v in values.items() if any(v.encode() in line for line in sampler.seen)
    ]
    assert shown == []
