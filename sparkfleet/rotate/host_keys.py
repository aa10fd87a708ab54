"""A host's SSH host key → its successor, made on the host; the controller never pins what does not open the host.

The successor's private half never leaves the host. State is read from the host's files, from what its sshd shows and
from known_hosts. From before the swap until after it is confirmed, known_hosts holds both keys: whichever the host
shows (it may put its old one back), it is known.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.host import keyring
from sparkfleet.host.connection import HostKeyError, Target, offered_key
from sparkfleet.host.keyring import PublicKey, public_key
from sparkfleet.rotate import door
from sparkfleet.rotate.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

BY = "spark rotate host-keys"


class Do(StrEnum):
    """What can come next."""

    PIN_BOTH = "know both"
    SWAP = "swap them, and prove the new one"
    SERVE = "let sshd read the new one"
    UNPIN = "know the new one alone"
    REFUSE = "refuse the old one"
    DROP = "delete the old one"


@dataclass(frozen=True)
class State:
    """Everything that decides: the host's files, what sshd shows, what is pinned, what this run has seen."""

    live: PublicKey
    shown: PublicKey
    pinned: frozenset[PublicKey]
    staged: PublicKey | None = None
    kept: PublicKey | None = None
    published: bool = True
    refused: bool = False


def under_way(state: State) -> bool:
    """Whether a rotation was begun and not finished."""
    return bool(state.staged or state.kept)


def next_step(state: State) -> Do | None:
    """What comes next; None when the host has one key and that alone is pinned. Pure.

    known_hosts is narrowed only when nothing can bring another key back, and before anything that could show a new one
    it is widened.
    """
    if not state.published or state.shown != state.live:
        # A swap that was cut short, or a guard that restored the files: whatever lies there has to be known first.
        return Do.PIN_BOTH if state.live not in state.pinned else Do.SERVE
    if state.staged:
        both = {state.live, state.staged}
        return Do.SWAP if state.pinned == both else Do.PIN_BOTH
    if state.pinned != {state.live}:
        return Do.UNPIN
    if state.kept in {None, state.live}:
        return Do.DROP if state.kept else None
    return Do.DROP if state.refused else Do.REFUSE


def rotate(fleet: Fleet, name: str, say: Callable[[str], None]) -> Story:
    """Replace the ed25519 host key of one host, or finish what a killed run began.

    Raises UnreachableError, RotationError, LockedError, or LockdownError when the host took its old key back.
    """
    story = Story(fleet, "rotate-host-keys", say)
    with door.opened(fleet, name, BY) as opened:
        state = _look(fleet, opened)
        old = _print(state.kept or state.live)
        if under_way(state):
            story.tell(name, "resumed", old=old, new=_print(state.staged or state.live))
        else:
            opened.call("host-key-stage")
            state = _look(fleet, opened)
            story.tell(name, "began", old=old, new=_print(state.staged))
        while step := next_step(state):
            state = _act(fleet, opened, story, state, step)
        opened.call("record", facts={"host_key": state.live.fingerprint})
        opened.call("dates")
        story.tell(name, "done", old=old, new=_print(state.live))
    return story


def _act(fleet: Fleet, opened: door.Door, story: Story, state: State, step: Do) -> State:
    """Do one step and look again."""
    name, words = opened.name, {"old": _print(state.kept or state.live), "new": _print(state.staged or state.live)}
    match step:
        case Do.PIN_BOTH:
            keyring.pin_host(fleet.controller, name, *(key for key in (state.live, state.staged) if key))
            story.tell(name, "added", **words)
        case Do.SWAP:
            _swap(fleet, opened, state)
            story.tell(name, "switched", **words)
        case Do.SERVE:
            opened.call("host-key-serve")
            _shows(opened.session.target, state.live)
            story.tell(name, "switched", **words)
        case Do.UNPIN:
            _prove(fleet, name, state.live)
            keyring.pin_host(fleet.controller, name, state.live)
            story.tell(name, "proven", **words)
        case Do.REFUSE:
            assert state.kept is not None  # noqa: S101  (next_step says so)
            with door.pinned_alone(fleet, name, state.kept) as target:
                door.prove_refused(door.with_key(target, opened.session.target.private_key), HostKeyError)
            story.tell(name, "refused-old", **words)
            return replace(state, refused=True)
        case Do.DROP:
            opened.call("host-key-drop")
            story.tell(name, "removed", **words)
    return replace(_look(fleet, opened), refused=state.refused)


def _swap(fleet: Fleet, opened: door.Door, state: State) -> None:
    """Swap under guard. Confirmed while both are pinned: a host that puts the old one back is still known."""
    assert state.staged is not None  # noqa: S101  (next_step says so)
    with opened.guarded(BY) as armed:
        opened.call("host-key-swap")
        _shows(opened.session.target, state.staged)
        _prove(fleet, opened.name, state.staged, opened)
        armed.confirm()


def _prove(fleet: Fleet, name: str, key: PublicKey, opened: door.Door | None = None) -> None:
    with door.pinned_alone(fleet, name, key) as target:
        door.prove(door.with_key(target, opened.session.target.private_key) if opened else target)


def _shows(target: Target, key: PublicKey) -> None:
    """Return when the host shows that key; a reload takes a moment. Raises RotationError when it does not."""
    end = time.monotonic() + door.RELOAD_S
    while True:
        # While sshd reloads nobody listens; before it does, its children show the new key already.
        with contextlib.suppress(UnreachableError):
            if _shown(target) == key:
                return
        if time.monotonic() > end:
            raise RotationError(
                f"{target.name} does not show its new host key {key.fingerprint} {door.RELOAD_S:.0f} s after a reload.",
                usually="sshd was not reloaded, or another sshd listens there.",
                next_step=f"look at `systemctl status ssh` on {target.name}; then run the same command again.",
            )
        time.sleep(0.1)


def _shown(target: Target) -> PublicKey:
    return PublicKey(*offered_key(target))


def _look(fleet: Fleet, opened: door.Door) -> State:
    """Raises RotationError when sshd does not use the key that is rotated."""
    found: dict[str, Any] = opened.call("host-keys")
    live, staged, kept = (_key(found.get(word)) for word in ("live", "staged", "kept"))
    if live is None or found.get("used") is not True:
        raise RotationError(
            f"sshd of {opened.name} does not serve /etc/ssh/ssh_host_ed25519_key.",
            usually="another HostKey stands in its configuration.",
            next_step="let it serve that key (`ssh-keygen -A` makes it); then run the same command again.",
        )
    pinned = frozenset(keyring.pinned(keyring.read_pins(fleet.controller), opened.name))
    return State(live, _shown(opened.session.target), pinned, staged, kept, found.get("published") is True)


def _key(text: object) -> PublicKey | None:
    words = str(text).split()
    return public_key(words[0], words[1]) if len(words) > 1 else None


def _print(key: PublicKey | None) -> str:
    return key.fingerprint if key else ""
