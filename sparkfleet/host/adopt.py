"""A factory machine → one that can be described: host key pinned, automation user with key and sudo, keys sorted out.

Every step looks first and then acts, on the controller and on the host, so adoption can be killed anywhere and run
again. Nothing is taken away before the new way in has been proved over a connection of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sparkfleet import audit
from sparkfleet.errors import AdoptError
from sparkfleet.host import authorized_keys, keyring, lock
from sparkfleet.host.adopt_door import Door, automation_door, prove, setup_door
from sparkfleet.host.authorized_keys import ExistingKey, KeyPlan, KeyWords, Person
from sparkfleet.host.connection import Target, offered_key
from sparkfleet.host.keyring import PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

    Ask = Callable[[str], bool]
    Say = Callable[[str], None]

# Tried in this order when the owner names a fingerprint that the first offered key does not have.
HOST_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")
ON_CONSOLE = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


@dataclass(frozen=True)
class AdoptOptions:
    """The owner's words. `password` is called only when the automation user cannot log in yet."""

    password: Callable[[], str] = field(repr=False)
    setup_user: str = "nvidia"
    fingerprint: str | None = None
    keys: KeyWords = field(default_factory=KeyWords)


@dataclass(frozen=True)
class Adoption:
    """What is true of the machine now. `changed` is empty when it was adopted before; no secret is in here."""

    host: str
    machine_id: str
    user: str
    host_key: str
    controller_key: str
    changed: tuple[str, ...]
    kept: tuple[ExistingKey, ...]
    dropped: tuple[ExistingKey, ...]
    notes: tuple[str, ...]
    to_describe: str

    def to_json(self) -> dict[str, Any]:
        """For `--json`: every existing key as its user, fingerprint, comment, options and file."""

        def entry(key: ExistingKey) -> dict[str, str]:
            shown = {"user": key.user, "fingerprint": key.fingerprint, "file": key.file}
            return shown | ({"comment": key.comment, "options": key.options} if key.key else {"unreadable": key.line})

        return asdict(self) | {"kept": [*map(entry, self.kept)], "dropped": [*map(entry, self.dropped)]}


def adopt(fleet: Fleet, name: str, options: AdoptOptions, *, ask: Ask, say: Say) -> Adoption:
    """Adopt one host of the fleet; returns what is true afterwards.

    Raises AdoptError when the owner's words and the machine do not fit together, LockedError and UnreachableError.
    """
    if name not in fleet.hosts:
        raise AdoptError(
            f"the description of fleet {fleet.fleet} has no host {name}.",
            next_step=f"add it under hosts, or take one of {', '.join(fleet.hosts)}.",
        )
    ours = keyring.controller_key(fleet.controller)
    authorized_keys.check_words(options.keys, _in_use(ours))
    target = Target.of(fleet, name)
    host_key, pinned_now = trust(fleet, target, options.fingerprint, ask=ask, say=say)
    changed = [f"host key {host_key.fingerprint} pinned"] if pinned_now else []

    door = automation_door(target) if ours else None
    if door is None:
        door = setup_door(replace(target, user=options.setup_user), options.password, say)
        return _take_in(fleet, target, host_key, door, options, changed=changed, ask=ask, say=say)
    with door, lock.held(target, "spark adopt", say=say):  # it was adopted before: others may be at work on it
        return _take_in(fleet, target, host_key, door, options, changed=changed, ask=ask, say=say)


def _take_in(  # noqa: PLR0913  (what `adopt` has found out)
    fleet: Fleet,
    target: Target,
    host_key: PublicKey,
    way_in: Door,
    options: AdoptOptions,
    *,
    changed: list[str],
    ask: Ask,
    say: Say,
) -> Adoption:
    """The machine's own part of `adopt`, through the door that opened."""
    name = target.name
    with way_in:
        key, made = keyring.ensure_key_pair(fleet.controller, fleet.fleet)
        changed += [f"key pair {fleet.controller.private_key}"] if made else []
        line = f"{key} sparkfleet@{fleet.fleet}"
        installed = way_in.call({"do": "install", "user": fleet.controller.user, "key": line})
    changed += installed["changed"]
    if changed:
        audit.record(fleet, name, "adopt", "added", new=f"{host_key.fingerprint} {key.fingerprint}")

    with prove(target, installed["sshd"]) as door:
        say(f"{name}: {target.user} logs in with the controller's key and becomes root")
        seen = door.call({"do": "survey"})
        existing = _existing(seen["files"])
        words = _remembering(options.keys, seen["record"])
        plan = _decided(existing, words, _in_use(key), _described(fleet), ask)
        if plan.drop:
            dropped = " ".join(sorted({entry.fingerprint for entry in plan.drop}))
            audit.record(fleet, name, "adopt", "removing", old=dropped, new=key.fingerprint)
        changed += _drop(door, plan, target, installed["sshd"])
        facts = {
            "fleet": fleet.fleet,
            "host": name,
            "user": target.user,
            "controller_key": key.fingerprint,
            "host_key": host_key.fingerprint,
            "kept_keys": _to_remember(seen["record"], plan, _in_use(key)),
        }
        changed += door.call({"do": "record", "facts": facts})["changed"]
    absent = options.keys.drop - {entry.fingerprint for entry in existing}
    return Adoption(
        host=name,
        machine_id=seen["machine_id"],
        user=target.user,
        host_key=host_key.fingerprint,
        controller_key=key.fingerprint,
        changed=tuple(changed),
        kept=plan.keep,
        dropped=plan.drop,
        notes=(*seen["notes"], *(f"{fp} (--drop-key) is not on the host" for fp in sorted(absent))),
        to_describe=authorized_keys.to_describe(_undescribed(fleet, plan.keep, set(seen["sudoers"]))),
    )


def trust(fleet: Fleet, target: Target, wanted: str | None, *, ask: Ask, say: Say) -> tuple[PublicKey, bool]:
    """The host key that the machine shows, pinned once the owner confirmed it; and whether it was pinned now.

    `wanted` is the fingerprint that the owner read on the machine; without it an unknown key is asked about, and a key
    other than the pinned one is refused.
    """
    path, name = fleet.controller.known_hosts, target.name
    pinned = keyring.pinned(path.read_text() if path.exists() else "", name)
    if wanted and not authorized_keys.FINGERPRINT.match(wanted.rstrip("=")):
        raise AdoptError(
            f"{wanted!r} is no host key fingerprint.",
            next_step=f"read it on the machine's console: `{ON_CONSOLE}` prints SHA256: and 43 characters.",
        )
    shown = _offered(target, tuple(key.type for key in pinned) or HOST_KEY_TYPES[:1])
    if wanted:
        wanted = wanted.rstrip("=")
        for kind in HOST_KEY_TYPES:
            if shown.fingerprint == wanted:
                break
            shown = _offered(target, (kind,))
        if shown.fingerprint != wanted:
            shown = _offered(target, HOST_KEY_TYPES[:1])
            raise AdoptError(
                f"{name} shows the host key {shown.fingerprint}, not {wanted}; nothing was touched.",
                usually="a typing error, another machine at this address, or somebody in between.",
                next_step=f"compare with `{ON_CONSOLE}` on the machine's console.",
            )
    if shown in keyring.revoked(keyring.read_pins(fleet.controller)):
        raise AdoptError(
            f"{name} shows the host key {shown.fingerprint}, which `spark retire` has revoked; nothing was touched.",
            usually="a retired machine is to be used again, or somebody poses as it.",
            next_step="give it new host keys on its console (`rm /etc/ssh/ssh_host_*; dpkg-reconfigure "
            "openssh-server`), then run the same command again.",
        )
    if shown in pinned:
        return shown, False
    if pinned and not wanted:
        raise AdoptError(
            f"{name} shows host key {shown.fingerprint}, not the pinned {pinned[0].fingerprint}; nothing is touched.",
            usually="the machine was reinstalled, another machine has its address, or somebody is in between.",
            next_step=f"read the fingerprint on its console (`{ON_CONSOLE}`) and give it with --fingerprint.",
        )
    say(f"{name} at {target.addresses[0]} shows the {shown.type} host key {shown.fingerprint}")
    if not wanted and not ask(f"Is this the fingerprint that {name} itself prints (`{ON_CONSOLE}` on its console)?"):
        raise AdoptError(
            f"the host key of {name} was not confirmed; nothing was touched.",
            next_step=f"read the fingerprint on its console (`{ON_CONSOLE}`) and run `spark adopt {name}` again.",
        )
    keyring.pin_host(fleet.controller, name, shown)
    return shown, True


def _offered(target: Target, prefer: tuple[str, ...]) -> PublicKey:
    return PublicKey(*offered_key(target, prefer))


def _in_use(key: PublicKey | None) -> frozenset[str]:
    return frozenset({key.fingerprint} if key else ())


def _existing(files: dict[str, dict[str, Any]]) -> list[ExistingKey]:
    """The survey's files → one entry a line that is neither empty nor a comment."""
    parsed = (
        authorized_keys.parse_line(seen["user"], file, line) for file, seen in files.items() for line in seen["lines"]
    )
    return [entry for entry in parsed if entry]


def _remembering(words: KeyWords, record: dict[str, Any]) -> KeyWords:
    """Who was told once to keep a key is not asked again."""
    if words.every != "ask":
        return words
    return replace(words, keep=words.keep | (frozenset(record.get("kept_keys", ())) - words.drop))


def _to_remember(record: dict[str, Any], plan: KeyPlan, in_use: frozenset[str]) -> list[str]:
    """Fingerprints that the owner kept now or before: one that sshd does not read at the moment is not forgotten.

    Not our own: when a controller is lost, the next one asks about the key of the last.
    """
    kept = {*record.get("kept_keys", ()), *(entry.fingerprint for entry in plan.keep if entry.key)}
    return sorted(kept - in_use - {entry.fingerprint for entry in plan.drop})


def _described(fleet: Fleet) -> frozenset[tuple[str, str]]:
    """The keys that the description gives to people, as (user, "type base64")."""
    people = fleet.access.users.items()
    return frozenset((user, " ".join(line.split()[:2])) for user, one in people for line in one.authorized_keys)


def _decided(
    existing: list[ExistingKey],
    words: KeyWords,
    in_use: frozenset[str],
    described: frozenset[tuple[str, str]],
    ask: Ask,
) -> KeyPlan:
    """The plan with nothing left to ask."""
    plan = authorized_keys.decide_keys(existing, words, in_use, described)
    once = {entry.fingerprint: entry for entry in plan.ask}  # the same key may stand in several files
    kept = {fingerprint for fingerprint, entry in once.items() if ask(f"Keep {entry}?")}
    return KeyPlan(
        keep=(*plan.keep, *(entry for entry in plan.ask if entry.fingerprint in kept)),
        drop=(*plan.drop, *(entry for entry in plan.ask if entry.fingerprint not in kept)),
    )


def _drop(door: Door, plan: KeyPlan, target: Target, sshd: dict[str, str]) -> list[str]:
    """Drop the planned lines and prove the login again; put them back when it fails."""
    lines: dict[str, list[str]] = {}
    for entry in plan.drop:
        lines.setdefault(entry.file, []).append(entry.line)
    if not lines:
        return []
    changed: list[str] = door.call({"do": "drop", "lines": lines})["changed"]
    try:
        prove(target, sshd).session.close()
    except Exception:
        door.call({"do": "restore", "lines": lines})
        raise
    return [f"dropped {what}" for what in changed]


def _undescribed(fleet: Fleet, kept: tuple[ExistingKey, ...], sudoers: set[str]) -> list[Person]:
    """People whose kept keys the fleet description does not name yet."""
    people: dict[str, Person] = {}
    described = _described(fleet)
    for entry in kept:
        if entry.user != fleet.controller.user and (entry.user, str(entry.key)) not in described:
            people.setdefault(entry.user, Person(entry.user, entry.user in sudoers)).keys.append(entry)
    return list(people.values())
