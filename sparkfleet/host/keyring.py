"""The controller's folder: pinned host keys and the automation key pair, each file replaced whole or not at all.

While the automation key is replaced, its successor lies beside it as `automation.new` and then its predecessor as
`automation.old`. `automation` itself is a working key at every moment; its public half is derived from it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import os
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


def pin(known_hosts: str, name: str, *keys: PublicKey) -> str:
    """The text with these keys, and no other, under this name; what it says of other names stays as it is."""
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
    return "\n".join([*kept, *(f"{name} {key}" for key in keys), ""])


def revoke(known_hosts: str, name: str) -> str:
    """The text in which no key opens this name, and each that did is marked @revoked for every name: sshd(8)."""
    marked = [f"@revoked * {key}" for key in pinned(known_hosts, name)]
    there = known_hosts.split("\n")
    return pin(known_hosts, name) + "".join(f"{line}\n" for line in dict.fromkeys(marked) if line not in there)


def revoked(known_hosts: str) -> set[PublicKey]:
    """The keys that no host may show any more."""
    lines = (line.split() for line in known_hosts.split("\n") if line.startswith("@revoked "))
    return {key for words in lines if len(words) >= 4 and (key := public_key(words[2], words[3]))}


def read_pins(controller: Controller) -> str:
    """The text of known_hosts; nothing when there is none yet."""
    return controller.known_hosts.read_text() if controller.known_hosts.exists() else ""


def pin_host(controller: Controller, name: str, *keys: PublicKey) -> None:
    """Pin exactly these keys in the controller's known_hosts. Two runs at once wait for one another."""
    with _only_one(controller.folder):
        secrets.write(controller.known_hosts, pin(read_pins(controller), name, *keys))


def revoke_host(controller: Controller, name: str) -> None:
    """Mark what is pinned under this name as revoked in the controller's known_hosts."""
    with _only_one(controller.folder):
        secrets.write(controller.known_hosts, revoke(read_pins(controller), name))


def controller_key(controller: Controller, which: str = "") -> PublicKey | None:
    """The automation key's public half, read from the private one; None as long as there is none.

    `which` is "" for the key in use, ".new" or ".old" for the one beside it. Raises AdoptError when the file is no
    unencrypted OpenSSH key.
    """
    from cryptography.hazmat.primitives import serialization

    path = key_file(controller, which)
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


def key_file(controller: Controller, which: str = "") -> Path:
    """Where the automation key is, or the one that follows (".new") or went before it (".old")."""
    return controller.private_key.with_name(controller.private_key.name + which)


def ensure_key_pair(controller: Controller, fleet: str) -> tuple[PublicKey, bool]:
    """The automation key, made if it is missing (ed25519, no passphrase, mode 0600); and whether it was made now."""
    with _only_one(controller.folder):
        key, made = controller_key(controller), False
        if key is None:
            key, made = _make(controller, ""), True
        path = controller.private_key
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)  # ssh refuses a private key that others can read
        _publish(controller, key, fleet)
        return key, made


def line_of(key: PublicKey, fleet: str) -> str:
    """The automation key as it stands in authorized_keys."""
    return f"{key} sparkfleet@{fleet}"


def published(controller: Controller) -> bool:
    """Whether the file with the public half says what the private half is."""
    key, public = controller_key(controller), _public_file(controller)
    return key is not None and public.exists() and public.read_text().startswith(f"{key} ")


def stage(controller: Controller) -> PublicKey:
    """Make the successor of the automation key; one that is there already stays."""
    with _only_one(controller.folder):
        return controller_key(controller, ".new") or _make(controller, ".new")


def switch(controller: Controller, fleet: str) -> None:
    """Put the successor in the place of the automation key, which stays beside it as ".old".

    Every step is a link or a rename, and each can be found done already: safe to repeat after a kill anywhere.
    """
    with _only_one(controller.folder):
        current, new, old = (key_file(controller, which) for which in ("", ".new", ".old"))
        if new.exists():
            if not old.exists():
                os.link(current, old)
            new.replace(current)
        key = controller_key(controller)
        if key:
            _publish(controller, key, fleet)


def forget(controller: Controller, which: str) -> None:
    """Delete the key beside the automation key; nothing happens when there is none."""
    with _only_one(controller.folder):
        secrets.remove(key_file(controller, which))


def _make(controller: Controller, which: str) -> PublicKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    secrets.write(key_file(controller, which), text.decode())
    key = controller_key(controller, which)
    if key is None:
        raise AdoptError(f"{key_file(controller, which)} vanished while it was being made.")
    return key


def _public_file(controller: Controller) -> Path:
    return key_file(controller, ".pub")


def _publish(controller: Controller, key: PublicKey, fleet: str) -> None:
    public, line = _public_file(controller), line_of(key, fleet) + "\n"
    if not public.exists() or public.read_text() != line:
        secrets.write(public, line)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel drops it when the process dies, however it dies."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
