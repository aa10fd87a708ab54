"""Keys come from where the description says, follow a rotation, and stand in no message."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from workloads.datasets import credentials
from workloads.datasets.config import StoreAt
from workloads.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hidden-word"


def answer(key: str, **more: str) -> str:
    """What a credential_process prints."""
    return json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": SECRET, **more})


def test_a_rotated_key_file_is_read_anew(tmp_path: Path) -> None:
    """A sync of hours must not end with the key that it began with; what was read counts for minutes."""
    file = tmp_path / "s3.json"
    file.write_text(answer("OLD"))
    keys = credentials.source(StoreAt(credentials=file))
    assert keys
    first = keys()
    file.write_text(answer("NEW"))

    assert (first.access_key_id, keys().access_key_id) == ("OLD", "NEW")
    assert dt.timedelta(0) < first.expires_at - dt.datetime.now(dt.UTC) <= credentials.COUNTS_FOR
    assert SECRET not in repr(first)


@pytest.mark.parametrize("content", ["", "{}", "[]", f'"{SECRET}"', f'{{"SecretAccessKey": "{SECRET}"}}'])
def test_a_file_without_a_key_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    """By its path."""
    file = tmp_path / "s3.json"
    file.write_text(content)
    keys = credentials.source(StoreAt(credentials=file))
    assert keys
    with pytest.raises(ConfigError, match=r"s3\.json holds no usable key") as caught:
        keys()
    assert SECRET not in str(caught.value)


def profiles(tmp_path: Path, config: str, shared: str = "") -> dict[str, str]:
    """An environment with these two files."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(config)
    (tmp_path / ".aws/credentials").write_text(shared)
    return {"HOME": str(tmp_path)}


def test_a_profile_may_name_a_process_or_hold_keys(tmp_path: Path) -> None:
    """As the AWS CLI reads them; a session that ends soon is asked for again by then."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    (tmp_path / "answer").write_text(answer("FROM-A-PROCESS", SessionToken="t", Expiration=soon.isoformat()))
    env = profiles(
        tmp_path,
        f"[default]\nregion = eu-central-1\n[profile worker]\ncredential_process = cat '{tmp_path}/answer'\n",
        f"[default]\naws_access_key_id = STANDS-THERE\naws_secret_access_key = {SECRET}\n",
    )

    worker, default = credentials.profile("worker", env), credentials.profile("default", env)

    assert (worker.keys().access_key_id, worker.keys().token) == ("FROM-A-PROCESS", "t")
    assert worker.keys().expires_at == soon
    assert (default.keys().access_key_id, default.values["region"]) == ("STANDS-THERE", "eu-central-1")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[profile worker]\nsso_session = x\n", "credential_process = aws configure export-credentials"),
        ("[profile worker]\ncredential_process = false\n", "gave no key: CalledProcessError"),
        ("[profile worker]\ncredential_process = echo {}\n", "gave no key: KeyError"),
        ("[profile other]\n", "no AWS profile worker"),
        ("no section\n", "cannot be read: MissingSectionHeaderError"),
    ],
)
def test_a_profile_without_a_key_is_told_with_what_to_do(tmp_path: Path, config: str, said: str) -> None:
    """What it lacks, and how to make one that has it."""
    env = profiles(tmp_path, config)
    with pytest.raises(ConfigError) as caught:
        credentials.profile("worker", env).keys()
    assert said in str(caught.value)


def test_without_either_the_environment_decides() -> None:
    """As every S3 client does."""
    assert credentials.source(StoreAt()) is None
