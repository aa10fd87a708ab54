"""The controller's folder: pinned host keys and the automation key pair, each file replaced whole or not at all."""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkfleet import secrets
from sparkfleet.errors import AdoptError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparkfleet.model import Controller


@dataclass(frozen=True)
class PublicKey:
    """An SSH public key: its type and its base64 text, as both stand in known_hosts and authorized_keys."""

    type: str
    blob: str

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen prints it: SHA256:…, without padding."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.blob}"


def public_key(kind: str, blob: str) -> PublicKey | None:
    """The key, if the base64 text really holds a key of that type (RFC 4253 §6.6: it begins with its own type)."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(raw[:4], "big")
    if not kind or len(raw) <= 4 + length or raw[4 : 4 + length] != kind.encode(errors="replace"):
        return None
    return PublicKey(kind, blob)


def pinned(known_hosts: str, name: str) -> list[PublicKey]:
    """The keys that stand under exactly this name; lines with markers (@revoked, …) are none of ours."""
    found = []
    for line in known_hosts.split("\n"):
        words = line.split()
        if len(words) >= 3 and name in words[0].split(","):
            key = public_key(words[1], words[2])
            if key:
                found.append(key)
    return found


def pin(known_hosts: str, name: str, key: PublicKey) -> str:
    """The text with this key as the only one of this name; what it says of other names stays as it is."""
    kept = []
    for line in known_hosts.removesuffix("\n").split("\n") if known_hosts else []:
        words = line.split(maxsplit=1)
        names = words[0].split(",") if len(words) == 2 else []
        if name not in names:
            kept.append(line)
            continue
        others = [n for n in names if n != name]
        if others:
            kept.append(f"{','.join(others)} {words[1]}")
    return "\n".join([*kept, f"{name} {key}", ""])


def pin_host(controller: Controller, name: str, key: PublicKey) -> None:
    """Pin the key in the controller's known_hosts. Two adoptions at once wait for one another."""
    with _only_one(controller.folder):
        path = controller.known_hosts
        before = path.read_text() if path.exists() else ""
        secrets.write(path, pin(before, name, key))


def controller_key(controller: Controller) -> PublicKey | None:
    """The automation key's public half, read from the private one; None as long as there is none.

    Raises AdoptError when the file is no unencrypted OpenSSH key.
    """
    from cryptography.hazmat.primitives import serialization

    path = controller.private_key
    if not path.exists():
        return None
    try:
        private = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError) as error:  # the error's text holds no key material
        raise AdoptError(
            f"{path} cannot be used as the automation key: {error}.",
            usually="it has a passphrase, was cut short, or belongs to somebody else.",
            next_step="move it away and run the same command again: a new key pair is made.",
        ) from error
    line = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    kind, blob = line.decode().split()[:2]
    return PublicKey(kind, blob)


def ensure_key_pair(controller: Controller, fleet: str) -> tuple[PublicKey, bool]:
    """The automation key, made if it is missing (ed25519, no passphrase, mode 0600); and whether it was made now."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    with _only_one(controller.folder):
        key, made = controller_key(controller), False
        path = controller.private_key
        if key is None:
            text = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
            secrets.write(path, text.decode())
            key, made = controller_key(controller), True
        if key is None:
            raise AdoptError(f"{path} vanished while it was being made.")
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)  # ssh refuses a private key that others can read
        public, line = path.with_name(path.name + ".pub"), f"{key} sparkfleet@{fleet}\n"
        if not public.exists() or public.read_text() != line:
            secrets.write(public, line)
        return key, made


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel drops it when the process dies, however it dies."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
