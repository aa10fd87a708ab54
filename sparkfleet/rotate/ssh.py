"""The automation user's key on the controller and on every host → its successor, proven before anything is taken away.

State is read from the controller's files (`automation`, `.new`, `.old`) and from the hosts' authorized_keys. Before the
switch every host takes both keys; after it each is left with the new one. Both pairs stay until the last host refuses
the old key, so that whichever key a host knows, the controller has it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.host import keyring
from sparkfleet.host.connection import LoginRefusedError, Target
from sparkfleet.host.keyring import PublicKey, public_key
from sparkfleet.rotate import door
from sparkfleet.rotate.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sparkfleet.model import Fleet

BY = "spark rotate ssh"
CONTROLLER = "controller"


class Do(StrEnum):
    """What can come next."""

    STAGE = "make the successor"
    ADD = "let the new key in, too"
    PROVE = "log in with nothing but the new key"
    SWITCH = "use the new key from now on"
    REMOVE = "take the old key away"
    REFUSE = "be refused with nothing but the old key"
    FORGET = "delete the old key pair"


@dataclass(frozen=True)
class Step:
    """One act; `host` is empty for those on the controller."""

    do: Do
    host: str = ""


@dataclass(frozen=True)
class Files:
    """The controller's half. `published`: the public half on disk is that of the key in use."""

    current: PublicKey
    new: PublicKey | None = None
    old: PublicKey | None = None
    published: bool = True

    @property
    def switched(self) -> bool:
        """Whether the successor is in use already."""
        return self.new is None

    @property
    def wanted(self) -> PublicKey:
        """The key that alone is to be left."""
        return self.new or self.current

    @property
    def leaving(self) -> PublicKey | None:
        """The key that has to go; None when no rotation is under way."""
        return self.current if self.new else self.old


@dataclass(frozen=True)
class OnHost:
    """A host's half: which keys it takes, and what this run has seen with its own eyes."""

    accepted: frozenset[PublicKey]
    proven: bool = False
    refused: bool = False


@dataclass(frozen=True)
class State:
    """Everything that decides; `hosts` in the order in which they are dealt with, the canary first."""

    files: Files
    hosts: Mapping[str, OnHost] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def next_step(state: State) -> Step | None:
    """What comes next; None when no rotation is under way, or when only skipped hosts are due. Pure.

    The canary goes first: it has taken and proven the new key before another host is touched, and refused the old one
    before it is taken from another.
    """
    files = state.files
    if files.switched and not files.published:
        return Step(Do.SWITCH)
    if files.leaving is None:
        return None
    if files.leaving == files.wanted:
        return Step(Do.FORGET)
    for name, host in state.hosts.items():
        do = _next_there(files, host)
        if do:
            return Step(do, name)
    if not files.switched:
        return Step(Do.SWITCH)
    return None if state.skipped else Step(Do.FORGET)


def _next_there(files: Files, host: OnHost) -> Do | None:
    if files.wanted not in host.accepted:
        return Do.ADD
    if not host.proven:
        return Do.PROVE
    if not files.switched:
        return None
    if files.leaving in host.accepted:
        return Do.REMOVE
    return None if host.refused else Do.REFUSE


def rotate(fleet: Fleet, names: Sequence[str], skip: Sequence[str], say: Callable[[str], None]) -> Story:
    """Replace the automation key on all hosts, or finish what a killed run began.

    Raises UnreachableError for a host that is away, with every key still valid that was; RotationError, LockedError.
    """
    story, files = Story(fleet, "rotate-ssh", say), _files(fleet)
    kept = "both key pairs are kept" if files.leaving else "no key was replaced"
    with contextlib.ExitStack() as stack:
        doors = {}
        for name in names:
            try:
                doors[name] = stack.enter_context(door.opened(fleet, name, BY))
            except UnreachableError as error:
                error.what = f"{error.what.rstrip('.')}; {kept}."
                error.next_step += f" Or leave it out with --skip {name}: it is then due."
                raise
        run = _Run(fleet, doors, story, State(files, {n: _on_host(d) for n, d in doors.items()}, tuple(skip)))
        if run.state.files.leaving is None:
            run.act(Step(Do.STAGE))
        else:
            _tell_all(story, names, run.state.files, "resumed")
        while step := next_step(run.state):
            run.act(step)
        for name in names:
            doors[name].call("record", facts={"controller_key": run.state.files.current.fingerprint})
            doors[name].call("dates")
    files = run.state.files
    for name in skip:
        story.tell(name, "due", old=files.leaving.fingerprint if files.leaving else "", new=files.current.fingerprint)
    return story


class _Run:
    """The acting edge: after each step it looks again at what the step concerned."""

    def __init__(self, fleet: Fleet, doors: Mapping[str, door.Door], story: Story, state: State) -> None:
        self.fleet, self.doors, self.story, self.state = fleet, doors, story, state

    def act(self, step: Step) -> None:
        """Do one step and bring the state up to date."""
        files, name = self.state.files, step.host
        old = files.leaving.fingerprint if files.leaving else ""
        new = files.wanted.fingerprint
        match step.do:
            case Do.STAGE:
                made = keyring.stage(self.fleet.controller)
                self._look()
                _tell_all(self.story, self.doors, replace(files, new=made), "began")
            case Do.ADD:
                line = keyring.line_of(files.wanted, self.fleet.fleet)
                self.doors[name].call("login-add", line=line)
                self.story.tell(name, "added", old=old, new=new)
                self._look(name)
            case Do.PROVE:
                door.prove(self._target(name, files.wanted))
                self.story.tell(name, "proven", old=old, new=new)
                self._mark(name, "proven")
            case Do.SWITCH:
                keyring.switch(self.fleet.controller, self.fleet.fleet)
                self.story.tell(CONTROLLER, "switched", old=old, new=new)
                self._look()
            case Do.REMOVE:
                self._remove(name)
                self.story.tell(name, "removed", old=old, new=new)
                self._look(name)
            case Do.REFUSE:
                assert files.leaving is not None  # noqa: S101  (next_step says so)
                door.prove_refused(self._target(name, files.leaving), LoginRefusedError)
                self.story.tell(name, "refused-old", old=old, new=new)
                self._mark(name, "refused")
            case Do.FORGET:
                keyring.forget(self.fleet.controller, ".old")
                _tell_all(self.story, self.doors, files, "done")
                self._look()

    def _remove(self, name: str) -> None:
        """Take the old key away while the host stands by to bring it back, until the new one is proven once more."""
        opened, files = self.doors[name], self.state.files
        with opened.guarded(BY, *opened.login_files()) as armed:
            opened.call("login-drop", key=str(files.leaving))
            door.prove(self._target(name, files.wanted))
            armed.confirm()

    def _target(self, name: str, key: PublicKey) -> Target:
        controller, target = self.fleet.controller, Target.of(self.fleet, name)
        for which in door.BESIDE:
            if keyring.controller_key(controller, which) == key:
                return door.with_key(target, keyring.key_file(controller, which))
        raise RotationError(
            f"the private half of {key.fingerprint} is not on this controller (any more).",
            usually="another run of `spark rotate ssh` finished meanwhile.",
            next_step="run `spark rotate ssh` again.",
        )

    def _look(self, name: str = "") -> None:
        hosts = dict(self.state.hosts)
        if name:
            hosts[name] = replace(hosts[name], accepted=_on_host(self.doors[name]).accepted)
        self.state = replace(self.state, files=_files(self.fleet), hosts=hosts)

    def _mark(self, name: str, *seen: str) -> None:
        before = self.state.hosts[name]
        host = replace(before, proven=before.proven or "proven" in seen, refused=before.refused or "refused" in seen)
        self.state = replace(self.state, hosts={**self.state.hosts, name: host})


def _files(fleet: Fleet) -> Files:
    controller = fleet.controller
    current, new, old = (keyring.controller_key(controller, which) for which in door.BESIDE)
    if current is None:
        raise RotationError(
            f"there is no automation key in {controller.private_key}.",
            usually="no host of this fleet was adopted yet.",
            next_step=f"run `spark adopt {next(iter(fleet.hosts))}`.",
        )
    return Files(current, new, old, keyring.published(controller))


def _on_host(opened: door.Door) -> OnHost:
    lines = [line for lines in opened.login_files().values() for line in lines]
    keys = (public_key(*line.split()[:2]) for line in lines if len(line.split()) > 1)
    return OnHost(frozenset(key for key in keys if key))


def _tell_all(story: Story, names: Sequence[str] | Mapping[str, object], files: Files, outcome: str) -> None:
    old = files.leaving.fingerprint if files.leaving else ""
    for name in names:
        story.tell(name, outcome, old=old, new=files.wanted.fingerprint)
