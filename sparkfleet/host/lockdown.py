"""A change of a host's way in → carried out under the host's guard, proven by a new connection, and only then kept.

`change` is the one path for it: `spark lockdown` and `pulumi up` both take it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet import audit
from sparkfleet.errors import ApplyError, ConfigError, LockdownError, SparkfleetError
from sparkfleet.host import guard, lan, lock, sources, tailnet
from sparkfleet.host.apply import Work, apply
from sparkfleet.host.connection import Session, Target
from sparkfleet.host.desired import desired
from sparkfleet.host.observe import ask
from sparkfleet.host.plan import plan
from sparkfleet.host.way_in import check_break_glass
from sparkfleet.model import Role
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparkfleet.host.tailnet import Proof
    from sparkfleet.model import Fleet

ROLES = (Role.TAILNET, Role.ACCESS)
VERB = "spark lockdown"


@dataclass(frozen=True)
class Step:
    """One step that was done, and how long it took."""

    name: str
    seconds: float


@dataclass
class Steps:
    """The steps of one host, in order; each is told when it begins."""

    host: str
    say: Callable[[str], None] = lambda _: None
    done: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the body; one that fails is not listed."""
        self.say(f"{self.host}: {name} …")
        began = time.monotonic()
        yield
        self.done.append(Step(name, round(time.monotonic() - began, 2)))


@dataclass(frozen=True)
class Lockdown:
    """What became of one host: `changed` counts settings; without a `proof` only the preconditions were met."""

    host: str
    changed: int
    steps: tuple[Step, ...]
    proof: Proof | None

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return asdict(self)


def lockdown(fleet: Fleet, name: str, *, check: bool = False, say: Callable[[str], None] = lambda _: None) -> Lockdown:
    """Close every way into the host but its tailnet, or raise with the old state back.

    Safe to repeat: a host that is closed already is proven anew. `check` looks at the preconditions alone. Raises
    ConfigError without access.tailnet_only, LockedError when another run has the host, LockdownError, UnreachableError,
    ApplyError.
    """
    if not fleet.access.tailnet_only:
        raise ConfigError(["access.tailnet_only: is false; a lockdown makes a host as described, so describe it first"])
    steps = Steps(name, say)
    target = Target.of(fleet, name)
    if check:
        _ready(fleet, name, steps)
        return Lockdown(name, 0, tuple(steps.done), None)
    with lock.held(target, VERB, say=say):
        _ready(fleet, name, steps)
        wanted = desired(fleet, name, sources.read(fleet))
        with Session(target) as session:
            before = ask(session, wanted.settings, sysfs=str(fleet.hosts[name].sysfs))
        changes = [c for c in plan(before.settings, wanted) if c.role in ROLES]
        check_break_glass(fleet, name, changes)
        proof = change(fleet, Work(wanted, changes, before.address), by=VERB, steps=steps)
    return Lockdown(name, len(changes), tuple(steps.done), proof)


def change(fleet: Fleet, work: Work, *, by: str, steps: Steps) -> Proof:
    """Apply changes of the way in under the host's guard and prove them; what is not proven is undone.

    With access.tailnet_only a host whose described tailnet address is not its own is refused before it is touched.
    Stands in the audit log. Raises LockdownError or ApplyError; their words say what became of the host.
    """
    name, only = work.desired.host, fleet.access.tailnet_only
    if only:
        audit.record(fleet, name, "lockdown", "began", detail=f"by {by}, {len(work.changes)} settings differ")
    try:
        proof = _guarded(fleet, work, by=by, steps=steps)
    except SparkfleetError as error:
        audit.record(fleet, name, "guard-restored", "failed", detail=f"by {by}: {printable(error.what)}")
        raise
    if only:
        audit.record(fleet, name, "lockdown", "proven", detail=f"over {proof.address}, LAN: {proof.lan}")
    return proof


def _guarded(fleet: Fleet, work: Work, *, by: str, steps: Steps) -> Proof:
    name = work.desired.host
    only, window_s = fleet.access.tailnet_only, fleet.access.proof_window_s
    files = [c.key.partition(":")[2] for c in work.changes if c.key.startswith(("file:", "link:"))]
    with Session(Target.of(fleet, name)) as session:
        seen = None
        if only:
            tailnet.check_address(fleet, name, session)
            with steps.step("see who can connect beside the tailnet"):
                seen = lan.before(fleet, name, session)
        with guard.armed(session, by=by, window_s=window_s, also=files) as armed:
            with steps.step(f"apply {len(work.changes)} setting(s)"), armed.kept():
                outcome = apply(fleet, {name: work}, say=steps.say)[name] if work.changes else None
            if outcome and outcome.failure:
                raise ApplyError(
                    f"{name}: the change of its way in could not be applied: {printable(outcome.failure, 1000)}.",
                    usually="the host differs from what the role expects, or the connection broke on the way.",
                    next_step="mend it and run the same command again.",
                )
            with steps.step("prove it by a new connection"):
                proof = tailnet.prove(fleet, name, armed, seen)
            with steps.step("confirm"):
                armed.confirm()
    return proof


def _ready(fleet: Fleet, name: str, steps: Steps) -> None:
    """The preconditions; nothing is touched. Raises LockdownError or UnreachableError for the first that is not met."""
    target = tailnet.over_tailnet(fleet, name)
    with steps.step("reach it over the tailnet"):
        session = tailnet.enter(target, within_s=0.0)
    with session, steps.step("look at its tailnet and its guard"):
        tailnet.check_address(fleet, name, session)
        armed = guard.state(session)["armed"]
        if armed:
            raise LockdownError(
                f"{name}: its way in is being changed by {printable(str(armed.get('by')))} since "
                f"{printable(str(armed.get('since')))}; nothing was touched.",
                usually="another run is under way, or was killed: then the host undoes it when its window is over.",
                next_step="wait until it is over, then run the same command again.",
            )
