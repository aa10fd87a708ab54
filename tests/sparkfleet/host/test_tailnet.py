"""A changed host → proof by a new connection, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.errors import LockdownError, UnreachableError
from sparkfleet.host import guard, tailnet
from sparkfleet.host.connection import HostKeyError, Result
from sparkfleet.host.guard import Armed

if TYPE_CHECKING:
    from sparkfleet.host.connection import Target
    from sparkfleet.model import Fleet

OWN = "100.64.0.1"


class Host:
    """What the new connections find: `own` addresses in the tailnet, the one that is entered, the armed id."""

    alive = True

    def __init__(self) -> None:
        self.own, self.entered, self.armed = [OWN, "fd7a:115c:a1e0::1"], OWN, "id"
        self.refusals: list[Exception] = []
        self.targets: list[Target] = []

    def connect(self, target: Target) -> Any:
        """In place of `Session`."""
        self.targets.append(target)
        if self.refusals:
            raise self.refusals.pop(0)
        self.target, self.address = target, target.addresses[0]
        return self

    def run(self, command: str, *, timeout_s: float = 60.0) -> Result:  # noqa: ARG002
        """Answer `tailscale ip`, with where sshd was reached before it when that is asked too."""
        first = f"192.0.2.9 40000 {self.entered} 22\n" if "SSH_CONNECTION" in command else ""
        return Result(0, first + "\n".join(self.own), "")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host that can be entered."""
    host = Host()
    monkeypatch.setattr(tailnet, "Session", host.connect)
    monkeypatch.setattr(tailnet, "EVERY_S", 0.01)
    monkeypatch.setattr(guard, "state", lambda _: {"armed": {"id": host.armed}, "last": None})
    return host


@pytest.fixture
def closed(fleet: Fleet) -> Fleet:
    """The fleet with every way in closed but the tailnet."""
    return fleet.model_copy(update={"access": fleet.access.model_copy(update={"tailnet_only": True})})


def armed(host: Host, window_s: int = 30) -> Armed:
    """The guard of that host."""
    session: Any = host
    return Armed(session, "id", "spark lockdown", window_s)


def test_the_proof_knows_nothing_but_the_tailnet(host: Host, closed: Fleet) -> None:
    """Addresses on the LAN are not even tried, and the proof names the one that worked."""
    proof = tailnet.prove(closed, "spark-01", armed(host))
    assert [t.addresses for t in host.targets] == [(OWN,)]
    assert (proof.address, proof.lan) == (OWN, "not asked")


def test_without_tailnet_only_any_described_address_will_do(host: Host, fleet: Fleet) -> None:
    """A change of keys or of sshd on a host in no tailnet is proven over the addresses that are described."""
    host.own, host.entered = [], "192.0.2.1"
    tailnet.prove(fleet, "spark-01", armed(host))
    assert host.targets[0].addresses == tuple(fleet.hosts["spark-01"].addresses)


def test_a_tailnet_that_needs_a_moment_is_waited_for(host: Host, closed: Fleet) -> None:
    """A node that was just restarted is tried again, for a part of the window."""
    host.refusals = [UnreachableError("not yet"), UnreachableError("not yet")]
    tailnet.prove(closed, "spark-01", armed(host))
    assert len(host.targets) == 3


def test_another_host_key_ends_the_proof_at_once(host: Host, closed: Fleet) -> None:
    """Whoever answers with another key is not asked a second time."""
    host.refusals = [HostKeyError("another host key")]
    with pytest.raises(LockdownError, match="another host key"):
        tailnet.prove(closed, "spark-01", armed(host))
    assert len(host.targets) == 1


def test_a_host_that_is_not_armed_is_another_one(host: Host, closed: Fleet) -> None:
    """The new connection must end on the machine that was changed: it knows the change's id."""
    host.armed = "another"
    with pytest.raises(LockdownError, match="not armed with this change"):
        tailnet.prove(closed, "spark-01", armed(host))


def test_an_address_that_is_translated_is_no_proof(host: Host, closed: Fleet) -> None:
    """Entered by the tailnet's address, arrived at one on the LAN: a subnet router would not survive the lockdown."""
    host.entered = "192.0.2.1"
    with pytest.raises(LockdownError, match=r"entered at 192\.0\.2\.1, which is none of its addresses"):
        tailnet.prove(closed, "spark-01", armed(host))


def test_the_right_address_is_named(host: Host, closed: Fleet) -> None:
    """A host that got another address than the described one: the error says which to put first."""
    host.own = ["100.64.0.99", "fd7a:115c:a1e0::99"]
    session: Any = host.connect(tailnet.over_tailnet(closed, "spark-01"))
    with pytest.raises(LockdownError, match=r"put 100\.64\.0\.99 first in hosts\.spark-01") as raised:
        tailnet.check_address(closed, "spark-01", session)
    assert raised.value.exit_code == 11
    host.refusals = [UnreachableError("nobody there")] * 500
    with pytest.raises(LockdownError, match=r"100\.64\.0\.99"):
        tailnet.prove(closed, "spark-01", armed(host, window_s=1))


def test_a_host_in_no_tailnet_is_not_closed(host: Host, closed: Fleet) -> None:
    """Before the last other door closes there must be a tailnet."""
    host.own = []
    session: Any = host.connect(tailnet.over_tailnet(closed, "spark-01"))
    with pytest.raises(LockdownError, match="in no tailnet"):
        tailnet.check_address(closed, "spark-01", session)
