"""A store's description → access keys: from the host's own key file, an AWS profile, or the environment.

The key file answers as a credential_process does, {"Version": 1, "AccessKeyId", "SecretAccessKey"}, and a rotation
replaces it: what is read here counts for some minutes, so that a long sync follows. What a process answers is kept in
memory until it is nearly over: the engine asks before every request once less than five minutes are left (obstore 0.12,
measured), and each answer may be a session that somebody has to make. No secret is told.
"""

from __future__ import annotations

import configparser
import datetime as dt
import json
import os
import shlex
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.errors import ConfigError, NodeError, StoreError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloads.datasets.config import StoreAt

COUNTS_FOR = dt.timedelta(minutes=5)
PROCESS_S = 60
MOST_LINES = 4  # of what a process says when it fails
RENEWED_BEFORE = dt.timedelta(minutes=10)  # as AWS' own SDKs do, before a session ends
PAUSE = dt.timedelta(seconds=20)  # after a process that failed, while the session at hand lasts
EXPORT = "credential_process = aws configure export-credentials --profile {} --format process"


@dataclass(frozen=True)
class Keys:
    """An access key as the store wants it; `expires_at` makes the engine ask again."""

    access_key_id: str
    secret_access_key: str
    token: str | None
    expires_at: dt.datetime

    def __repr__(self) -> str:
        """Without the secret: this may stand in a traceback."""
        return f"Keys({self.access_key_id!r})"


@dataclass(frozen=True)
class Profile:
    """One profile of the AWS configuration, as far as it concerns a store."""

    name: str
    values: Mapping[str, str]

    def keys(self) -> Keys:
        """Of its credential_process, else those that stand in it; raises ConfigError when it has neither."""
        if command := self.values.get("credential_process"):
            return _of_process(shlex.split(command), self.name)
        if "aws_access_key_id" in self.values and "aws_secret_access_key" in self.values:
            token = self.values.get("aws_session_token")
            return _keys(self.values["aws_access_key_id"], self.values["aws_secret_access_key"], token)
        raise ConfigError(
            f"the AWS profile {printable(self.name)} has neither keys nor a credential_process",
            usually="it is one of SSO or of a role, which only the AWS CLI resolves",
            next_step=f"make another one with `{EXPORT.format(printable(self.name))}` and name that.",
        )


@dataclass
class Remembered:
    """The answer of a process, asked for again before it ends; one that fails then is asked again, and again."""

    ask: Callable[[], Keys]
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    _kept: Keys | None = None
    _ask_at: dt.datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Keys:
        """What is valid now; raises ConfigError or StoreError when nothing is."""
        with self._lock:
            now, kept = self.clock(), self._kept
            if kept and self._ask_at and now < min(self._ask_at, kept.expires_at):
                return kept
            try:
                self._kept = fresh = self.ask()
            except NodeError:
                if not kept or kept.expires_at <= now:
                    raise
                self._ask_at = now + PAUSE
                return kept
            self._ask_at = fresh.expires_at - min(RENEWED_BEFORE, (fresh.expires_at - now) / 2)
            return fresh


def source(at: StoreAt, environment: Mapping[str, str] = os.environ) -> Callable[[], Keys] | None:
    """What answers with keys each time it is called; None leaves that to the environment."""
    if at.credentials:
        file = at.credentials
        return lambda: _of_file(file)
    if at.profile:
        found = profile_of(at, environment)
        return Remembered(found.keys) if "credential_process" in found.values else found.keys
    return None


def profile_of(at: StoreAt, environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile that a store names, in the file that it names; raises ConfigError."""
    named = {"AWS_CONFIG_FILE": str(at.aws_config)} if at.aws_config else {}
    return profile(at.profile, {**environment, **named})


def profile(name: str, environment: Mapping[str, str] = os.environ) -> Profile:
    """Read ~/.aws/config and ~/.aws/credentials, or where the environment says; raises ConfigError."""
    home = Path(environment.get("HOME", "/root"))
    places = (
        (
            environment.get("AWS_CONFIG_FILE", home / ".aws/config"),
            "default" if name == "default" else f"profile {name}",
        ),
        (environment.get("AWS_SHARED_CREDENTIALS_FILE", home / ".aws/credentials"), name),
    )
    values: dict[str, str] = {}
    for file, section in places:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from None
        if parser.has_section(section):
            values |= dict(parser.items(section))
    if not values:
        files = " and ".join(str(file) for file, _ in places)
        raise ConfigError(f"there is no AWS profile {printable(name)} in {files}")
    return Profile(name, values)


def _of_file(file: Path) -> Keys:
    try:
        return _answer(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} holds no usable key: {type(error).__name__}",
            next_step="run this as root, or `pulumi up` on the controller if the file is not there.",
        ) from None  # the text of the error may quote the secret


def _of_process(words: list[str], name: str) -> Keys:
    try:
        done = subprocess.run(words, capture_output=True, check=True, timeout=PROCESS_S)
        return _answer(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        failed = error if isinstance(error, subprocess.CalledProcessError) else None
        said = _said(failed) if failed else ""
        kind = StoreError if failed and failed.returncode == os.EX_TEMPFAIL else ConfigError
        raise kind(
            f"the credential_process of the AWS profile {printable(name)} gave no key: {said or type(error).__name__}"
        ) from None


def _said(error: subprocess.CalledProcessError) -> str:
    """What a process said of its failure, on a line each; never what it printed as an answer."""
    lines = error.stderr.decode(errors="replace").strip().splitlines()[-MOST_LINES:]
    return "\n  ".join(printable(line.strip()) for line in lines)


def _answer(data: dict[str, Any]) -> Keys:
    keys = _keys(str(data["AccessKeyId"]), str(data["SecretAccessKey"]), data.get("SessionToken") or None)
    if not data.get("Expiration"):
        return keys
    until = dt.datetime.fromisoformat(str(data["Expiration"]))
    return Keys(keys.access_key_id, keys.secret_access_key, keys.token, until)


def _keys(key_id: str, secret: str, token: str | None) -> Keys:
    return Keys(key_id, secret, token, dt.datetime.now(dt.UTC) + COUNTS_FOR)
