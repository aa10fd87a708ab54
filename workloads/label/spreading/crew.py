"""Machines that share work, by Ray → a hand on each, what they say, and which of them died. The edge to Ray.

Ray is asked for little: which machines are there, one actor on each, a stream of what it says, and to tell when it is
gone. It runs nothing twice by itself (no restarts, no retries): who does what again is the ledger's decision.
Requests carry the fleet's token (Ray's RAY_AUTH_MODE=token); what that does not cover is in docs/guides/scale-out.md.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from workloads.errors import ConfigError, ServiceError, printable
from workloads.label.spreading import machine
from workloads.label.spreading.hand import Hand, Order, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.label.site import Ray

LOOK_EVERY_S = 2.0  # for machines that have come
EVENT_S = 0.5
MOST_DEATHS = 3  # of a machine's hand; then it gets no other in this run


@dataclass(frozen=True)
class Lost:
    """A hand is gone, with its machine or alone."""

    detail: str


@dataclass
class Member:
    """A machine: its actor, and what it is asked now. `ready`: it has answered."""

    name: str
    actor: Any
    asked: Any  # a reference, or a stream of them
    ready: bool = False


@dataclass
class Crew:
    """Use as a context: hands end with it, and with this process, however that ends."""

    site: Ray
    order: Order
    common: dict[str, bytes]
    members: dict[str, Member] = field(default_factory=dict)  # by Ray's name of the machine
    deaths: dict[str, int] = field(default_factory=dict)
    out: set[str] = field(default_factory=set)
    _looked: float = 0.0

    def __enter__(self) -> Self:
        """Join Ray; raises ConfigError where it is not installed, ServiceError when it does not answer."""
        self._ray = imported(self.site)
        try:
            self._ray.init(
                address=self.site.address, _node_ip_address=self.site.own_address, log_to_driver=False,
                logging_level="ERROR", configure_logging=False,
            )  # fmt: skip
        except (ConnectionError, RuntimeError, OSError) as error:
            raise ServiceError(
                f"Ray does not answer at {self.site.address}: {printable(str(error))}",
                usually="its head is down, its port is closed to this machine, or the token is another one",
                next_step="`systemctl status sparkfleet-ray` on both; what was done is kept.",
            ) from error
        self._given = self._ray.put(self.common)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave; Ray ends what we have started."""
        self._ray.shutdown()

    @property
    def idle(self) -> list[str]:
        """Machines that wait for work."""
        return [name for name, member in self.members.items() if member.ready and member.asked is None]

    @property
    def size(self) -> int:
        """Machines that work, or wait for it."""
        return sum(member.ready for member in self.members.values())

    def give(self, machine: str, files: dict[str, bytes]) -> None:
        """Let it work on a share."""
        member = self.members[machine]
        member.asked = member.actor.work.options(num_returns="streaming").remote(files)

    def events(self) -> Iterator[tuple[str, list[Said] | Lost]]:
        """Wait a moment, then tell what machines say, and which are gone; new ones are asked to come."""
        if time.monotonic() - self._looked >= LOOK_EVERY_S:
            self._look()
        asked = {member.asked: name for name, member in self.members.items() if member.asked is not None}
        if not asked:
            time.sleep(EVENT_S)
            return
        ready, _ = self._ray.wait(list(asked), timeout=EVENT_S)
        for reference in ready:
            name = asked[reference]
            member = self.members[name]
            try:
                if not member.ready:
                    self._ray.get(reference)
                    member.ready, member.asked = True, None
                else:
                    yield name, self._ray.get(next(reference))
            except StopIteration:
                member.asked = None
            except self._ray.exceptions.RayError as error:
                del self.members[name]
                self.deaths[name] = self.deaths.get(name, 0) + 1
                yield name, Lost(printable(f"{member.name}: {type(error).__name__}"))

    def dismiss(self, machine: str) -> None:
        """It gets no more work in this run."""
        self._ray.kill(self.members.pop(machine).actor)
        self.out.add(machine)

    def _look(self) -> None:
        """Ask a hand on each machine that is there and has none."""
        self._looked = time.monotonic()
        for node in self._ray.nodes():
            name = node["NodeID"]
            fit = name not in self.out and self.deaths.get(name, 0) < MOST_DEATHS
            if node["Alive"] and fit and name not in self.members:
                self.members[name] = self._hired(name, node)

    def _hired(self, name: str, node: dict[str, Any]) -> Member:
        """All of the machine: Ray shares nothing out; the stage there knows its cores, memory and GPU by itself."""
        there = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(name, soft=False)
        actor = self._ray.remote(Hand).options(
            num_cpus=node["Resources"].get("CPU", 0), num_gpus=node["Resources"].get("GPU", 0),
            scheduling_strategy=there, max_restarts=0, max_task_retries=0,
        ).remote(self.order, self._given)  # fmt: skip
        return Member(f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})", actor, actor.ready.remote())


def imported(site: Ray) -> Any:
    """Ray, from its own folder, behind all that this environment has; raises ConfigError without it."""
    os.environ.update(machine.environment(site))
    if str(site.packages) not in sys.path:
        sys.path.append(str(site.packages))
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Python has no {error.name}, and {site.packages} has none either",
            usually="this machine shares work (ray in label.json), but its environment ray was not built",
            next_step="`spark plan` says what is missing; without ray in label.json it works alone.",
        ) from error
    return ray
