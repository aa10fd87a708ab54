"""Keys come from where the description says, follow a rotation, and stand in no message."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from workloads.datasets import credentials
from workloads.datasets.config import StoreAt
from workloads.errors import ConfigError, StoreError

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
        ("[profile worker]\ncredential_process = sh -c 'echo expired >&2; false'\n", "gave no key: expired"),
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


def test_a_store_may_name_the_file_in_which_its_profile_stands(tmp_path: Path) -> None:
    """As a host's configuration does: no variable of the environment has to be set, and none changes it."""
    named, other = tmp_path / "aws.config", tmp_path / "other"
    named.write_text(f"[profile worker]\naws_access_key_id = NAMED\naws_secret_access_key = {SECRET}\n")
    other.write_text(f"[profile worker]\naws_access_key_id = OTHER\naws_secret_access_key = {SECRET}\n")
    env = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(other)}
    keys = credentials.source(StoreAt(profile="worker", aws_config=named), env)
    assert keys
    assert keys().access_key_id == "NAMED"


def test_a_process_that_nobody_answered_is_no_fault_of_the_description(tmp_path: Path) -> None:
    """Its code says so (EX_TEMPFAIL), as `sh` and every other program can: the next run asks again."""
    env = profiles(tmp_path, "[profile worker]\ncredential_process = sh -c 'echo away >&2; exit 75'\n")
    with pytest.raises(StoreError, match="gave no key: away"):
        credentials.profile("worker", env).keys()


def test_without_either_the_environment_decides() -> None:
    """As every S3 client does."""
    assert credentials.source(StoreAt()) is None


class Asked:
    """A process that answers with sessions of an hour, a clock, and how often it was asked."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
        self.times = 0
        self.away = False
        self.remembered = credentials.Remembered(self.ask, lambda: self.now)

    def ask(self) -> credentials.Keys:
        """The next session."""
        self.times += 1
        if self.away:
            raise ConfigError("it is away")
        return credentials.Keys(f"{self.times}", SECRET, "t", self.now + dt.timedelta(hours=1))

    def after(self, minutes: float) -> str:
        """The key that counts so much later."""
        self.now += dt.timedelta(minutes=minutes)
        return self.remembered().access_key_id


def test_a_session_is_asked_for_once_and_again_before_it_ends() -> None:
    """The engine asks before each request: no process and no session of its own for each of them."""
    asked = Asked()
    assert [asked.after(0), asked.after(0.01), asked.after(49.9), asked.after(0.1)] == ["1", "1", "1", "2"]
    assert asked.times == 2


def test_who_is_away_is_asked_again_while_the_session_lasts() -> None:
    """An hour's work does not end because nobody answers for some minutes of it; nor is anybody asked all the time."""
    asked = Asked()
    asked.after(0)
    asked.away = True
    assert {asked.after(50), asked.after(0.1), asked.after(0.1), asked.after(5)} == {"1"}
    assert asked.times == 3
    asked.away = False
    assert asked.after(1) == "4"


def test_a_session_that_has_ended_is_not_used() -> None:
    """Then the reason why there is no other is what is told."""
    asked = Asked()
    asked.after(0)
    asked.away = True
    with pytest.raises(ConfigError, match="away"):
        asked.after(60)
