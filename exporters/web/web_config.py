"""The file of `--web.config.file` (YAML, the format of Prometheus' exporter-toolkit) → TLS context and passwords.

    tls_server_config:
      cert_file: host.pem              relative paths start at the configuration file
      key_file: host.key
      client_ca_file: ca.pem
      client_auth_type: RequireAndVerifyClientCert
      min_version: TLS12
    basic_auth_users:
      prometheus: $2y$10$…             bcrypt, as `htpasswd -nBC 10 "" | tr -d ':'` makes it

The file and what it names are read again at the next connection after one of them has changed. A new text with a fault
is logged and the old settings stay: a slip of the pen opens no door and closes none.
"""

from __future__ import annotations

import importlib
import logging
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import ModuleType

log = logging.getLogger(__name__)

PACKAGES = {"yaml": "python3-yaml", "bcrypt": "python3-bcrypt"}  # Debian's names
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
# The toolkit has two more, RequestClientCert and RequireAnyClientCert: they accept certificates that nobody signed,
# which Python's ssl cannot.
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
FILES = ("cert_file", "key_file", "client_ca_file")
TLS_KEYS = {*FILES, "client_auth_type", "min_version"}
KEYS = {"tls_server_config", "basic_auth_users"}
BCRYPT = ("$2a$", "$2b$", "$2y$")
BCRYPT_LENGTH = 60


class WebConfigError(Exception):
    """The file cannot be used; the text names every fault."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file asks for. Without a file: plain HTTP for everybody."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, bytes] = field(default_factory=dict)  # name → bcrypt hash
    files: tuple[Path, ...] = ()  # all that was read


def load(path: Path) -> WebConfig:
    """The file's settings; WebConfigError with all faults at once."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WebConfigError(f"{path}: {error}") from error
    yaml = library("yaml", path)
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise WebConfigError(f"{path}: {' '.join(str(error).split())}") from error
    found = list(faults(data if data is not None else {}))
    if found:
        raise WebConfigError(f"{path}: " + "; ".join(found))
    data = data or {}
    tls = data.get("tls_server_config") or {}
    users = {str(name): hashed.encode() for name, hashed in (data.get("basic_auth_users") or {}).items()}
    if users:
        library("bcrypt", path)
    paths = {key: path.parent / tls[key] for key in FILES if tls.get(key)}
    try:
        context = tls_context(paths, tls) if tls else None
    except OSError as error:  # ssl.SSLError is one
        raise WebConfigError(f"{path}: tls_server_config: {error}") from error
    return WebConfig(context, users, (path, *paths.values()))


def library(name: str, path: Path) -> ModuleType:
    """A library that only this file needs; WebConfigError names the package that has it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise WebConfigError(f"{path} needs the Python library {name}: apt install {PACKAGES[name]}") from error


def faults(data: Any) -> Iterator[str]:
    """What is wrong with the file's data, each in its own words; never a password's hash."""
    if not isinstance(data, dict):
        yield "not a mapping"
        return
    yield from (f"unknown key {key}" for key in data if key not in KEYS)
    tls, users = data.get("tls_server_config") or {}, data.get("basic_auth_users") or {}
    if isinstance(tls, dict):
        yield from tls_faults(tls)
    else:
        yield "tls_server_config is not a mapping"
    if not isinstance(users, dict):
        yield "basic_auth_users is not a mapping"
        return
    for name, hashed in users.items():
        if not str(name) or ":" in str(name):
            yield f"basic_auth_users: {name!r} is no user name"
        if not isinstance(hashed, str) or not hashed.startswith(BCRYPT) or len(hashed) != BCRYPT_LENGTH:
            yield f"basic_auth_users: the password of {name} is not a bcrypt hash"


def tls_faults(tls: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with tls_server_config."""
    if not tls:
        return
    yield from (f"unknown key tls_server_config.{key}" for key in tls if key not in TLS_KEYS)
    yield from (f"tls_server_config.{key} is missing" for key in ("cert_file", "key_file") if not tls.get(key))
    yield from (f"tls_server_config.{key} is no text" for key in FILES if not isinstance(tls.get(key, ""), str))
    auth, version = tls.get("client_auth_type", "NoClientCert"), tls.get("min_version", "TLS12")
    if auth not in CLIENT_AUTH:
        yield f"tls_server_config.client_auth_type: {auth} is none of {', '.join(CLIENT_AUTH)}"
    elif (auth != "NoClientCert") != bool(tls.get("client_ca_file")):
        yield "tls_server_config: client_ca_file and a client_auth_type that verifies need each other"
    if version not in VERSIONS:
        yield f"tls_server_config.min_version: {version} is none of {', '.join(VERSIONS)}"


def tls_context(paths: Mapping[str, Path], tls: Mapping[str, Any]) -> ssl.SSLContext:
    """The server's context; OSError when a file cannot be read or is not what it should be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[tls.get("min_version", "TLS12")]
    context.load_cert_chain(paths["cert_file"], paths["key_file"], password=lambda: "")  # never ask on the terminal
    context.verify_mode = CLIENT_AUTH[tls.get("client_auth_type", "NoClientCert")]
    if "client_ca_file" in paths:
        context.load_verify_locations(paths["client_ca_file"])
    return context


class Watched:
    """The file's settings as they are now."""

    def __init__(self, path: Path | None) -> None:
        """WebConfigError when the file cannot be used: an exporter never starts with less protection than asked for."""
        self._path = path
        self._config = load(path) if path else WebConfig()
        self._seen = self._state()

    def config(self) -> WebConfig:
        """The newest settings without a fault."""
        if self._path and (state := self._state()) != self._seen:
            self._seen = state
            try:
                self._config = load(self._path)
            except WebConfigError as error:
                log.error("the old web configuration stays: %s", error)  # noqa: TRY400  the text says it all
            else:
                log.info("web configuration read again")
                self._seen = self._state()  # other files may be named now
        return self._config

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        """What changes when one of the files does."""
        return tuple(stamp(path) for path in self._config.files)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """A file's inode, size and time of change; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
