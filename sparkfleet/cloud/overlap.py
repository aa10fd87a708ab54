"""Which issuing key signed each host's certificate → whether an account trusts another one beside the one in force.

A host that was not reached when `authority.generation` was raised has a certificate of the key before. The account goes
on taking it until no described host is known to hold one, unless that key was stolen. No host is asked, only the
controller's folder: `pulumi preview` says what `pulumi up` does.
    enrol/<host>.generation     of which generation the certificate is with which the host was last proven to be right
Two and no more: IAM Roles Anywhere, "Quotas", Certificates per trust anchor: 2, not adjustable (reported, 2026-11).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkfleet import secrets
from sparkfleet.cloud import pki
from sparkfleet.cloud.authority_files import text
from sparkfleet.model import Role

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from sparkfleet.model import Fleet


@dataclass(frozen=True)
class Before:
    """An issuing certificate that is trusted beside the one in force, and the hosts for whose sake it is."""

    generation: int
    pem: str
    hosts: tuple[str, ...]

    @property
    def told(self) -> str:
        """What people are told while it lasts."""
        return (
            f"the account takes certificates of authority.generation {self.generation}, too, until "
            f"{', '.join(self.hosts)} enrolled anew by `pulumi up`; the next one after that ends it. "
            "Was that key stolen? Name it in authority.stolen: that ends it now"
        )


def kept(held: Mapping[str, int], generation: int, stolen: Collection[int]) -> int | None:
    """Pure: of the generations that hosts hold beside the one in force, the newest whose key nobody stole."""
    return max((one for one in held.values() if one != generation and one not in stolen), default=None)


def before(fleet: Fleet, now: dt.datetime) -> Before | None:
    """What an account trusts beside the certificate in force; nothing when every host holds one of that.

    Raises SparkfleetError when a certificate cannot be read.
    """
    wanted, folder = fleet.authority, fleet.controller.authority
    has = held(folder, fleet.with_role(Role.IDENTITY), wanted.generation)
    other = kept(has, wanted.generation, wanted.stolen)
    if other is None:
        return None
    pem = text(folder / str(other) / "issuing.crt")
    if pki.anchor_faults(pki.certificate_of(pem), now):  # expired: so is whatever it signed
        return None
    return Before(other, pem, tuple(host for host, one in has.items() if one == other))


def bundle(issuing: str, other: Before | None) -> str:
    """The trust anchor's certificates, PEM, the one in force first."""
    return issuing + other.pem if other and other.pem != issuing else issuing


def held(folder: Path, hosts: Iterable[str], generation: int) -> dict[str, int]:
    """Host → the generation of its certificate, as far as there is one.

    Hosts of a release that took no notes: before another generation is made, whoever may ask has one of the last.
    """
    made = {int(one.parent.name) for one in folder.glob("*/issuing.crt") if one.parent.name.isdecimal()}
    last = max(made, default=0) if generation not in made else 0
    found = {host: _noted(folder, host) or (last if _key(folder, host).exists() else 0) for host in hosts}
    return {host: one for host, one in found.items() if one in made}


def note(fleet: Fleet, host: str) -> None:
    """Remember that the host was proven to hold a certificate of the generation in force, where it has one at all.

    Raises SparkfleetError when the controller's folder cannot be written.
    """
    if Role.IDENTITY in fleet.hosts[host].all_roles:
        secrets.write(_note(fleet.controller.authority, host), f"{fleet.authority.generation}\n")


def note_all(folder: Path, generation: int) -> None:
    """Before `generation` is made: write down what the hosts hold that were told of by no note yet."""
    hosts = [key.stem for key in _key(folder, "*").parent.glob("*.key")]
    for host, one in held(folder, hosts, generation).items():
        if not _noted(folder, host):
            secrets.write(_note(folder, host), f"{one}\n")


def _noted(folder: Path, host: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(_note(folder, host).read_text(encoding="utf-8"))
    return 0


def _note(folder: Path, host: str) -> Path:
    return folder / "enrol" / f"{host}.generation"


def _key(folder: Path, host: str) -> Path:
    return folder / "enrol" / f"{host}.key"
