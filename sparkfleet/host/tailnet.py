"""A host whose way in was changed → proof, by a new connection, that it can still be entered as described.

The proof starts from nothing: no open session, no multiplexing, the pinned host key, the automation key, sudo.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING

from sparkfleet.errors import LockdownError, UnreachableError
from sparkfleet.host import guard
from sparkfleet.host import lan as lans
from sparkfleet.host.connection import HostKeyError, LoginRefusedError, Session, Target
from sparkfleet.tailnet_checks import in_tailnet
from sparkfleet.text import printable

if TYPE_CHECKING:
    from sparkfleet.host.guard import Armed
    from sparkfleet.host.lan import Lan
    from sparkfleet.model import Fleet

# A tailnet that was just restarted needs a moment to find its peers again.
WITHIN_S = 20.0
EVERY_S, ANSWER_S = 0.5, 10.0
ASK = 'echo "$SSH_CONNECTION"; tailscale ip'


@dataclasses.dataclass(frozen=True)
class Proof:
    """How the host was entered: the address, how long it took (seconds), and what is known of its LAN side."""

    address: str
    seconds: float
    lan: str


def over_tailnet(fleet: Fleet, name: str) -> Target:
    """The host, at its addresses in the tailnet alone; the first may be a name."""
    target = Target.of(fleet, name)
    first, *others = target.addresses
    return dataclasses.replace(target, addresses=(first, *filter(in_tailnet, others)))


def addresses_of(session: Session) -> list[str]:
    """The addresses that the host's own node has; none when it has not joined."""
    return [word for word in session.run("tailscale ip", timeout_s=ANSWER_S).stdout.split() if in_tailnet(word)]


def check_address(fleet: Fleet, name: str, session: Session) -> None:
    """Raise LockdownError, naming the right address, unless the described one is the host's own in its tailnet."""
    described, found = fleet.hosts[name].addresses[0], addresses_of(session)
    if not found:
        raise LockdownError(
            f"{name} is in no tailnet, and every other way in is to be closed.",
            usually="tailscaled is stopped, its node key has expired, or the host was removed from the tailnet.",
            next_step=f"`tailscale status` on {name} says which; `pulumi up` joins a host that is logged out.",
        )
    if in_tailnet(described) and described not in found:
        raise LockdownError(
            f"{name} has the address {' or '.join(found)} in its tailnet, {described} is described.",
            usually="the host joined anew and got another address, or the description has a slip.",
            next_step=f"put {found[0]} first in hosts.{name}.addresses, then run the same command again.",
        )


def prove(fleet: Fleet, name: str, armed: Armed, lan: Lan | None = None) -> Proof:
    """Enter the host anew, over its tailnet when nothing else is to be open, and look that it is the one that is armed.

    `lan`: what was seen before the change; with it, whoever could connect from outside must be refused now. Raises
    LockdownError with the reason; the caller leaves `guard.armed`, which puts the old state back.
    """
    only = fleet.access.tailnet_only
    target = over_tailnet(fleet, name) if only else Target.of(fleet, name)
    began = time.monotonic()
    try:
        with enter(target, within_s=min(WITHIN_S, armed.window_s / 2)) as session:
            _check_same(session, armed)
            if only:
                _check_path(session)
    except UnreachableError as error:
        if only:
            with contextlib.suppress(UnreachableError):  # that session may have gone with the tailnet
                check_address(fleet, name, armed.session)
        raise LockdownError(
            f"{name} could not be entered anew{' over the tailnet' if only else ''}: {error.what}",
            usually=error.usually,
            next_step="mend that, then run the same command again.",
        ) from error
    seconds = time.monotonic() - began
    return Proof(session.address, seconds, lans.after(fleet, name, lan) if lan else "not asked")


def enter(target: Target, *, within_s: float) -> Session:
    """A new session, tried again for so long; raises UnreachableError. A refused login or a wrong host key is final."""
    until = time.monotonic() + within_s
    while True:
        try:
            return Session(target)
        except (LoginRefusedError, HostKeyError):
            raise
        except UnreachableError:
            if time.monotonic() > until:
                raise
        time.sleep(EVERY_S)


def _check_same(session: Session, armed: Armed) -> None:
    """The machine behind the new connection is the one that was changed, and its sudo works."""
    found = guard.state(session)["armed"] or {}
    if found.get("id") != armed.id:
        raise LockdownError(
            f"{session.target.name} at {session.address} is not armed with this change.",
            usually="it has put its old state back meanwhile, or another machine has its address and its host key.",
            next_step="see that the address is the host's own, then run the same command again.",
        )


def _check_path(session: Session) -> None:
    """The connection ended at an address that the host's own node has, as sshd saw it."""
    connection, *own = session.run(ASK).stdout.splitlines() or [""]
    words = connection.split()
    here = words[2] if len(words) == 4 else ""  # client, its port, server, its port
    if here not in own:
        raise LockdownError(
            f"{session.target.name} was entered at {printable(here) or 'an unknown address'}, which is none of its "
            f"addresses in the tailnet ({printable(', '.join(own)) or 'it has none'}).",
            usually="a subnet router or a translation of addresses lies between: it would not survive the lockdown.",
            next_step=f"put the host's own address in the tailnet first in hosts.{session.target.name}.addresses.",
        )
