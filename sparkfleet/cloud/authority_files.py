"""The folder `<controller.folder>/authority` → made whole where something is missing, and what of it is for whom.

Mode 0700, every file 0600. A run that was killed anywhere is finished by the next one, because each file is written
whole, and only where it is missing:
    root.key, root.crt              never leave the controller; made once
    <n>/issuing.key, issuing.crt    of generation n; go to the host with the role authority
    enrol/<host>.key                signs the host's one-time tokens
    enrol/<host>.generation         of the certificate that the host has (`overlap`)
    ca.json                         step-ca's configuration
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet import secrets
from sparkfleet.authority import CONFIGURATION, ISSUING
from sparkfleet.cloud import enrolment, pki
from sparkfleet.errors import SparkfleetError
from sparkfleet.model import Role

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from sparkfleet.model import Fleet


def described(fleet: Fleet) -> dict[str, Any]:
    """What the authority is to be, as plain values."""
    at = fleet.with_role(Role.AUTHORITY)
    return {
        "fleet": fleet.fleet,
        "folder": str(fleet.controller.authority),
        "generation": fleet.authority.generation,
        "hosts": sorted(fleet.with_role(Role.IDENTITY)),
        "names": list(fleet.hosts[at[0]].addresses) if at else [],
        "port": fleet.authority.port,
        "lifetime_s": fleet.authority.lifetime_s,
    }


def ensure(wanted: Mapping[str, Any], now: dt.datetime) -> dict[str, str]:
    """Make what is missing of the folder and write the configuration; returns the OUTPUTS.

    Raises SparkfleetError when a file cannot be read or written, when the root's key is lost, or when what is there is
    no authority (any more).
    """
    folder, generation = Path(wanted["folder"]), int(wanted["generation"])
    here = folder / str(generation)
    root = _root(folder, str(wanted["fleet"]), now)
    issuing = _issuing(here, f"{wanted['fleet']} issuing {generation}", folder, now)
    keys = {host: pki.key_of(_made(folder / "enrol" / f"{host}.key", _new_key)) for host in map(str, wanted["hosts"])}
    for path in (folder / "enrol").glob("*.*"):
        if path.stem not in keys:
            secrets.remove(path)
    secrets.write(folder / "ca.json", _configuration(wanted, keys))
    made = {"issuing": issuing, "root": root, "fingerprint": pki.fingerprint(issuing)}
    return made | {"held": held_digest(folder, generation)}


def without(fleet: Fleet, host: str, now: dt.datetime) -> str | None:
    """Forget a host's enrolment key; step-ca's configuration without it, None when there is no authority yet."""
    wanted = described(fleet)
    if not held_digest(fleet.controller.authority, fleet.authority.generation):
        return None
    ensure({**wanted, "hosts": [name for name in wanted["hosts"] if name != host]}, now)
    return text(fleet.controller.authority / "ca.json")


def versions(folder: Path, generation: int) -> dict[str, str]:
    """What the controller holds, by the names under which hosts' settings have it; nothing is made yet: no entry."""
    held = held_digest(folder, generation)
    if not held:
        return {}
    return told(text(folder / str(generation) / "issuing.crt"), held)


def told(issuing: str, held: str) -> dict[str, str]:
    """The versions that stand in hosts' settings, of an issuing certificate and a digest of what is held."""
    return {ISSUING: pki.fingerprint(issuing)[:16], CONFIGURATION: held}


def held(wanted: Mapping[str, Any]) -> str:
    """The digest of what the controller holds; "" when `ensure` would make or write anything, also by newer rules."""
    folder = Path(wanted["folder"])
    found = held_digest(folder, int(wanted["generation"]))
    try:
        keys = {host: pki.key_of(text(folder / "enrol" / f"{host}.key")) for host in map(str, wanted["hosts"])}
    except SparkfleetError:
        return ""
    return found if found and text(folder / "ca.json") == _configuration(wanted, keys) else ""


def _configuration(wanted: Mapping[str, Any], keys: Mapping[str, pki.Key]) -> str:
    names = [str(name) for name in wanted["names"]]
    made = enrolment.configuration(names, int(wanted["port"]), int(wanted["lifetime_s"]), keys)
    return json.dumps(made, indent=1) + "\n"


def held_digest(folder: Path, generation: int) -> str:
    """Sixteen hex digits over configuration and issuing certificate; "" when one is missing, or a key they need."""
    files = [folder / "ca.json", folder / str(generation) / "issuing.crt"]
    try:
        hosts = [provisioner["name"].partition("/")[0] for provisioner in _provisioners(files[0])]
        keys = [folder / "root.key", folder / str(generation) / "issuing.key"]
        if not all(key.exists() for key in (*keys, *(folder / "enrol" / f"{host}.key" for host in hosts))):
            return ""
        return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _provisioners(config: Path) -> list[dict[str, Any]]:
    return list(json.loads(config.read_text(encoding="utf-8"))["authority"]["provisioners"])


def _root(folder: Path, fleet: str, now: dt.datetime) -> str:
    """The root certificate's PEM; its key first, so that a certificate never lacks one."""
    path = folder / "root.crt"
    if path.exists() and not (folder / "root.key").exists():
        raise SparkfleetError(
            f"the key of {path} is missing; nothing was touched",
            usually="the controller's folder was put back without it",
            next_step="put root.key back from its backup; docs/guides/identity.md says how to begin anew",
        )
    key = pki.key_of(_made(folder / "root.key", _new_key))
    pem = _made(path, lambda: pki.pem_of(pki.root(fleet, key, now)))
    _refuse(path, pem, now)
    return pem


def _issuing(here: Path, name: str, folder: Path, now: dt.datetime) -> str:
    """The issuing certificate's PEM, signed by the root of `folder`."""
    key = pki.key_of(_made(here / "issuing.key", _new_key))
    above = pki.Above(pki.certificate_of(text(folder / "root.crt")), pki.key_of(text(folder / "root.key")))
    pem = _made(here / "issuing.crt", lambda: pki.pem_of(pki.issuing(name, key, above, now)))
    _refuse(here / "issuing.crt", pem, now)
    return pem


def _refuse(path: Path, pem: str, now: dt.datetime) -> None:
    if faults := pki.anchor_faults(pki.certificate_of(pem), now):
        raise SparkfleetError(
            f"{path} cannot be the fleet's authority: {'; '.join(faults)}",
            next_step="raise authority.generation for another issuing certificate; docs/guides/identity.md",
        )


def _made(path: Path, make: Callable[[], str]) -> str:
    """What a file holds; made first where it is missing."""
    if not path.exists():
        secrets.write(path, make())
    return text(path)


def _new_key() -> str:
    return pki.key_pem(pki.new_key())


def text(path: Path) -> str:
    """What a file of the folder holds; raises SparkfleetError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SparkfleetError(
            f"{path} cannot be read: {type(error).__name__}", next_step="give it to this user, mode 0600"
        ) from error
