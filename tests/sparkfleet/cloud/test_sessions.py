"""Data sets come to a host with nothing but its certificate: real signatures and store, a simulated account."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lab.rolesanywhere.sessions import Sessions
from sparkfleet.cloud import objectstore, policies
from sparkfleet.host import roles_anywhere
from tests.lab.rolesanywhere.certificates import DAY, issue
from tests.lab.rolesanywhere.served import serve
from tests.sparkfleet.cloud.syncing import Site
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.rolesanywhere.served import Anywhere


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
