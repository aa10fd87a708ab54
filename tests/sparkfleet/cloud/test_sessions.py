"""Data sets come to a host with nothing but its certificate: real signatures and store, a simulated account."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lab.rolesanywhere.sessions import Sessions
from sparkfleet.cloud import objectstore, policies
from sparkfleet.host import roles_anywhere
from tests.lab.rolesanywhere.certificates import DAY, issue
from tests.lab.rolesanywhere.served import serve
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.rolesanywhere.served import Anywhere

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Site:
    """A store, the account before it, and a host with its configuration."""

    provisioned: Any
    anywhere: Anywhere
    folder: Path

    def environment(self, config: Path) -> dict[str, str]:
        """Of a program on the host: the one profile, and no key."""
        words = f"{sys.executable} -IS {roles_anywhere.__file__} session {config}"
        file = self.folder / "aws-config"
        file.write_text(
            f"[profile sparkfleet-datasets]\nregion = us-east-1\ncredential_process = {words}\n", encoding="utf-8"
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, "AWS_CONFIG_FILE": str(file), "PYTHONPATH": str(PROJECT)}

    def words(self, *words: str, **settings: Any) -> list[str]:
        """`spark-node datasets …` on the host."""
        file = self.folder / "datasets.json"
        endpoint = self.provisioned.connection.endpoint
        store = {"endpoint": endpoint, "region": "us-east-1", "profile": "sparkfleet-datasets"}
        one = {"bucket": self.provisioned.datasets, "prefix": "shared/mix", "version": "latest"}
        plain = {
            "folder": str(self.folder / "host"),
            "connections": 4,
            "store": store,
            "sets": {"mix": one},
            **settings,
        }
        file.write_text(json.dumps(plain))
        return [sys.executable, "-m", "workloads", "datasets", *words, "--config", str(file)]

    def publish(self, files: int, size: int) -> None:
        """By the administrator."""
        key = json.loads((Path(self.provisioned.connection.admin.removeprefix("file:"))).read_text())
        source = self.folder / "source"
        source.mkdir()
        for number in range(files):
            (source / f"{number}.bin").write_bytes(os.urandom(size))
        keys = {"AWS_ACCESS_KEY_ID": key["access_key_id"], "AWS_SECRET_ACCESS_KEY": key["secret_access_key"]}
        words = self.words("publish", "mix", str(source), "--version", "1")
        plain = json.loads((self.folder / "datasets.json").read_text())
        plain["store"]["profile"] = ""
        (self.folder / "datasets.json").write_text(json.dumps(plain))
        done = subprocess.run(
            words, env={**self.environment(Path("/")), **keys}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def sync(self, config: Path) -> subprocess.CompletedProcess[str]:
        """To its end."""
        running = self.begin(config)
        out, err = running.communicate(timeout=120)
        return subprocess.CompletedProcess(running.args, running.returncode, out, err)

    def begin(self, config: Path, **settings: Any) -> subprocess.Popen[str]:
        """A sync that runs."""
        return subprocess.Popen(
            self.words("sync", **settings),
            env=self.environment(config),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def site(provisioned: Any, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """The function that opens the account, with sessions of so many seconds."""
    opened: list[tuple[Anywhere, Sessions]] = []

    def make(seconds: int = 3600) -> Site:
        arns = (policies.bucket_arn(bucket) for bucket in (provisioned.datasets, provisioned.models))
        sessions = Sessions(provisioned.iam(), policies.canonical(policies.host_access(*arns)))
        opened.append((serve(tmp_path, sessions.grant, most_s=seconds), sessions))
        return Site(provisioned, opened[-1][0], tmp_path)

    yield make
    for served, sessions in opened:
        served.endpoint.stop()
        sessions.close()


def test_a_sync_runs_with_a_certificate_alone(site: Callable[..., Site]) -> None:
    """One session serves the whole run, of however many requests."""
    here = site()
    here.publish(files=60, size=1000)
    done = here.sync(here.anywhere.host(issue("spark-01", here.anywhere.issuing)))
    assert done.returncode == 0, done.stderr
    assert len(list((here.folder / "host/mix/current/").iterdir())) == 60
    assert here.anywhere.endpoint.asked == ["spark-01"]


def test_a_running_sync_outlives_sessions_and_the_certificate(site: Callable[..., Site]) -> None:
    """Sessions of 3 s end under it, key and certificate are renewed under it: all bytes come, in one run."""
    here = site(seconds=3)
    here.publish(files=8, size=1 << 20)
    config = here.anywhere.host(issue("spark-01", here.anywhere.issuing, ends=dt.timedelta(seconds=4)))
    running = here.begin(config, bandwidth_bytes_s=1 << 20)
    try:
        until(lambda: here.anywhere.endpoint.asked, "the first session")
        issue("spark-01", here.anywhere.issuing).write(config.parent)
        _, said = running.communicate(timeout=90)
    finally:
        running.kill()
    assert running.returncode == 0, said
    assert len(list((here.folder / "host/mix/current/").iterdir())) == 8
    assert len(here.anywhere.endpoint.asked) >= 3
    # Read while it was written: asked once more, by the host's own program.
    assert set(here.anywhere.endpoint.refused) <= {"Signature does not match"}


def test_the_key_of_a_session_ends_with_it(site: Callable[..., Site]) -> None:
    """The store refuses it then; until then it opens the host's own prefix and nothing of another host."""
    here = site(seconds=3)
    given = roles_anywhere.session(here.anywhere.host(issue("spark-01", here.anywhere.issuing)))
    key = objectstore.Key(given["AccessKeyId"], given["SecretAccessKey"])
    s3 = objectstore.s3(here.provisioned.connection, key)
    bucket = here.provisioned.datasets
    s3.put_object(Bucket=bucket, Key="hosts/spark-01/a", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key="hosts/spark-02/a", Body=b"x")

    def ended() -> bool:
        try:
            s3.head_object(Bucket=bucket, Key="hosts/spark-01/a")
        except ClientError:
            return True
        return False

    until(ended, "the store refuses the key", every_s=0.2)


def test_a_refused_certificate_stops_a_sync_with_what_to_do(site: Callable[..., Site]) -> None:
    """The words of the host's own program reach whoever started the sync."""
    here = site()
    config = here.anywhere.host(issue("spark-01", here.anywhere.issuing, begins=-2 * DAY, ends=-DAY))
    done = here.sync(config)
    assert done.returncode == 3
    for words in ("Certificate has expired", "it has expired on", "systemctl start sparkfleet-identity.service"):
        assert words in done.stderr
