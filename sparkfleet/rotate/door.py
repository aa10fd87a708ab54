"""A host → a session in which its keys are replaced: opened by whichever of the controller's keys it takes, locked.

The only place of this package that speaks to hosts. Proofs are connections of their own.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.host import guard, keyring, lock, tailnet
from sparkfleet.host.connection import HostKeyError, LoginRefusedError, Session, Target
from sparkfleet.host.step import answered
from sparkfleet.rotate import multiplexed
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparkfleet.model import Fleet

BESIDE = ("", ".new", ".old")
STEP_S = 120.0
RELOAD_S = 10.0
COMMAND = 'sudo -n /usr/bin/python3 -IS - "${SSH_CONNECTION%% *}"'


class Door:
    """An open host. `call` runs one step of host_script.py there as root."""

    def __init__(self, fleet: Fleet, name: str, session: Session) -> None:
        """Use `opened`."""
        self.fleet, self.name, self.session = fleet, name, session

    def call(self, do: str, **words: Any) -> dict[str, Any]:
        """One step and its answer; raises RotationError for what the host could not do, and UnreachableError."""
        request = {"do": do, "user": self.fleet.controller.user, **words}
        return self._run(do, f"{_steps()}\n\nmain(json.loads({json.dumps(request)!r}), STEPS)\n")

    def script(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run another script of this package there as root; raises as `call` does."""
        text = resources.files("sparkfleet.rotate").joinpath(name).read_text()
        return self._run(name.removesuffix(".py"), f"{text}\n\nmain(json.loads({json.dumps(request)!r}))\n")

    def _run(self, do: str, text: str) -> dict[str, Any]:
        said = self.session.run(COMMAND, stdin=text, timeout_s=STEP_S)
        answer, fault = answered(said)
        if fault:
            raise RotationError(
                f"{self.name} could not do the step {do!r}: {printable(fault)}.",
                usually="the disk is full or read-only, or the automation user lost its sudo rule.",
                next_step="put it right; then run the same command again: it goes on where it stopped.",
            )
        return answer

    def login_files(self) -> dict[str, list[str]]:
        """The authorized_keys files that let the automation user in, with their lines; what is none is left out."""
        found = self.call("login-files").get("files")
        return {path: strings(lines) for path, lines in found.items()} if isinstance(found, dict) else {}

    @contextlib.contextmanager
    def guarded(self, by: str, *also: str) -> Iterator[guard.Armed]:
        """The host undoes what the body does to its way in, unless the body confirms."""
        with guard.armed(self.session, by=by, window_s=self.fleet.access.proof_window_s, also=also) as armed:
            yield armed


def strings(told: object) -> list[str]:
    """The texts in a list that a host told; a host can tell anything."""
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


@contextlib.contextmanager
def opened(fleet: Fleet, name: str, purpose: str) -> Iterator[Door]:
    """The host, open and ours alone; what a killed rotation left armed there is undone first.

    Raises UnreachableError, LockedError, and LoginRefusedError when no key of the controller opens it.
    """
    session = way_in(fleet, name)
    with session, lock.held(session.target, purpose):
        armed = guard.state(session).get("armed")
        if isinstance(armed, dict) and str(armed.get("by", "")).startswith("spark rotate"):
            why = "the run that changed it was killed; the next one goes on"
            guard.ask(session, {"do": "restore", "id": armed.get("id", ""), "why": why})
        yield Door(fleet, name, session)


def way_in(fleet: Fleet, name: str) -> Session:
    """A session with the first of the controller's keys that the host takes: in the middle of a rotation it has two."""
    refused: LoginRefusedError | None = None
    for which in BESIDE:
        path = keyring.key_file(fleet.controller, which)
        if path.exists():
            try:
                return Session(replace(Target.of(fleet, name), private_key=path))
            except LoginRefusedError as error:
                refused = refused or error
    raise refused or RotationError(
        "the controller has no automation key.",
        usually="no host of this fleet was adopted yet.",
        next_step=f"run `spark adopt {name}`.",
    )


def prove(target: Target) -> str:
    """A new connection with nothing but this target's key and pins, and root without a password; says its address.

    A host that does not answer is tried again for `RELOAD_S`: `systemctl reload` returns before sshd listens anew.
    Raises RotationError when the login or sudo is refused, UnreachableError when the host is away.
    """
    multiplexed.close(target)
    try:
        with tailnet.enter(target, within_s=RELOAD_S) as session:
            if session.run("sudo -n true").code == 0:
                return session.address
    except LoginRefusedError as error:
        why = error.what
    else:
        why = f"{target.name} lets {target.user} in, but not become root."
    raise RotationError(
        f"{target.name}: the new way in could not be proven: {why} Nothing was taken away.",
        usually="something else on the host decides who logs in.",
        next_step="look at `journalctl -u ssh` there; then run the same command again.",
    )


def prove_refused(target: Target, kind: type[UnreachableError]) -> None:
    """A new connection with nothing but this target's key and pins must fail in the one way that `kind` names.

    Raises RotationError when the connection comes about, UnreachableError when it fails in another way.
    """
    multiplexed.close(target)
    try:
        Session(target).close()
    except kind:
        return
    what = "shows the old host key" if kind is HostKeyError else "still lets the old key in"
    raise RotationError(
        f"{target.name} {what}: it was replaced everywhere we know of.",
        usually="another file of the host still names it (AuthorizedKeysCommand, a drop-in of sshd).",
        next_step=f"look at `sshd -T` on {target.name}; then run the same command again.",
    )


def with_key(target: Target, path: Path) -> Target:
    """The same host, entered with another key."""
    return replace(target, private_key=path)


@contextlib.contextmanager
def pinned_alone(fleet: Fleet, name: str, key: keyring.PublicKey) -> Iterator[Target]:
    """The host as somebody knows it who trusts this one host key."""
    path = fleet.controller.folder / f".only-{name}"
    path.write_text(keyring.pin("", name, key), encoding="utf-8")
    try:
        yield replace(Target.of(fleet, name), known_hosts=path)
    finally:
        path.unlink()


@cache
def _steps() -> str:
    """adopt_script.py has the helpers, host_script.py the steps."""
    texts = (("sparkfleet.host", "adopt_script.py"), ("sparkfleet.rotate", "host_script.py"))
    return "\n\n".join(resources.files(package).joinpath(name).read_text() for package, name in texts)
