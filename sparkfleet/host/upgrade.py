"""Rings of hosts, and what became of each step → the one step that comes next, or none: the upgrade's state machine.

Pure: a run is a value that stands in a file between steps (upgrade_state), so that a killed one goes on where it
stopped. `upgrade_run` carries the steps out. One host at a time; the first failure stops every other host.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from sparkfleet.forms import Described
from sparkfleet.host.upgrade_apt import Package
from sparkfleet.host.upgrade_rings import Ring

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Kind = Literal["upgrade", "reboot"]


class Step(StrEnum):
    """What is to be done with a host next; the words people read."""

    CHECK = "check"  # may it be touched at all? Nothing is changed
    DRAIN = "drain"  # stop what serves
    APPLY = "apply"  # change the packages
    TARGET = "boot-target"  # will the kernel that GRUB takes next come up with its driver?
    REBOOT = "reboot"  # until the host answers with another boot id
    SERVE = "serve"  # start what served
    VERIFY = "verify"  # no check fails that did not fail before
    SETTLE = "settle"  # after the ring's soak: still the same boot, still serving
    DONE = "done"


ORDER = tuple(Step)
WITHOUT: dict[Kind, frozenset[Step]] = {"upgrade": frozenset(), "reboot": frozenset({Step.APPLY})}
FOR_A_BOOT = frozenset({Step.TARGET, Step.REBOOT})
THROUGH = frozenset({Step.SETTLE, Step.DONE})


class Host(Described):
    """How far one host is, and what has to be remembered of it while it is under way."""

    name: str
    next: Step = Step.CHECK
    why: str = ""  # it stopped the run, and so
    way_on: str = ""  # what to do about it
    skipped: bool = False
    packages: tuple[Package, ...] = ()
    kept: tuple[str, ...] = ()  # packages that a hold keeps back
    served: tuple[str, ...] = ()  # units that served before they were stopped, in that order
    failing: tuple[str, ...] = ()  # checks of the compliance pack that failed before
    failed_units: tuple[str, ...] = ()  # the same of systemd
    attempt: int = 1  # at changing the packages
    reboot: bool = True
    kernel: str = ""  # that it is to boot
    boot_before: str = ""
    boot_after: str = ""
    well_at: float = 0.0  # seconds since 1970
    notes: tuple[str, ...] = ()

    @property
    def through(self) -> bool:
        """Whether nothing but waiting is left."""
        return self.next in THROUGH

    @property
    def touched(self) -> bool:
        """Whether anything on the host may have been changed."""
        return self.next not in {Step.CHECK, Step.DONE} or bool(self.boot_after or self.packages)


class Run(Described):
    """One upgrade of a fleet, or one round of reboots."""

    id: str
    kind: Kind
    fleet: str
    began: str
    rings: tuple[Ring, ...]
    hosts: tuple[Host, ...]
    force: bool = False
    until: str = ""  # a ring: the run rests after it

    def host(self, name: str) -> Host:
        """One of its hosts."""
        return next(host for host in self.hosts if host.name == name)

    @property
    def stopped(self) -> Host | None:
        """The host that stopped it."""
        return next((host for host in self.hosts if host.why and not host.skipped), None)

    @property
    def finished(self) -> bool:
        """Whether every host is through or left out."""
        return all(host.through or host.skipped for host in self.hosts)

    @property
    def untouched(self) -> list[str]:
        """The hosts that nobody has begun with."""
        return [host.name for host in self.hosts if host.next == Step.CHECK and not host.why and not host.skipped]


class Act(Described):
    """One step with one host."""

    step: Step
    host: str


def begin(kind: Kind, fleet: str, rings: Sequence[Ring], *, id_: str, began: str, **options: Any) -> Run:
    """A run in which nothing has happened yet."""
    hosts = tuple(Host(name=name) for ring in rings for name in ring.hosts)
    return Run(id=id_, kind=kind, fleet=fleet, began=began, rings=tuple(rings), hosts=hosts, **options)


def next_act(run: Run) -> Act | None:
    """The one thing to do now; None when the run is stopped, rests after its ring, or is finished."""
    if run.stopped:
        return None
    for number, ring in enumerate(run.rings):
        hosts = [host for name in ring.hosts if not (host := run.host(name)).skipped]
        for host in hosts:
            if not host.through:
                return Act(step=host.next, host=host.name)
        if ring.name == run.until:
            return None
        later = [run.host(name) for after in run.rings[number + 1 :] for name in after.hosts]
        if all(host.through or host.skipped for host in later):
            return None  # nobody is left who could be harmed
        for host in hosts:
            if host.next == Step.SETTLE:
                return Act(step=Step.SETTLE, host=host.name)
    return None


def done(run: Run, act: Act, **learned: Any) -> Run:
    """The run after a step that went well; `learned` are fields of the host.

    A check that finds nothing to do ends with that host; without a need to reboot the steps of a boot are left out.
    """
    host = run.host(act.host).model_copy(update=learned)
    nothing = run.kind == "upgrade" and act.step == Step.CHECK and not host.packages and not host.reboot
    after = Step.DONE if nothing else _after(run.kind, act.step, reboot=host.reboot)
    return _with(run, host.model_copy(update={"next": after}))


def failed(run: Run, act: Act, why: str, way_on: str) -> Run:
    """The run after a step that did not go well: it stops, and the same step comes again when it is resumed.

    A kernel that must not boot is mended by packages: then these come again.
    """
    host = run.host(act.host)
    packages = act.step == Step.APPLY or (act.step == Step.TARGET and run.kind == "upgrade")
    again = {"next": Step.APPLY, "attempt": host.attempt + 1} if packages else {}
    return _with(run, host.model_copy(update={"why": why, "way_on": way_on, **again}))


def resumed(run: Run, *, skip: Collection[str] = (), force: bool = False, until: str = "") -> Run:
    """The run as its owner lets it go on: failures are tried again, or their hosts left out."""
    hosts = tuple(
        host.model_copy(update={"skipped": True} if host.name in skip else {"why": "", "way_on": "", "skipped": False})
        for host in run.hosts
    )
    return run.model_copy(update={"hosts": hosts, "force": force, "until": until})


def _after(kind: Kind, step: Step, *, reboot: bool) -> Step:
    left = WITHOUT[kind] | (frozenset() if reboot or step in FOR_A_BOOT else FOR_A_BOOT)
    return next(later for later in ORDER[ORDER.index(step) + 1 :] if later not in left)


def _with(run: Run, host: Host) -> Run:
    return run.model_copy(update={"hosts": tuple(host if one.name == host.name else one for one in run.hosts)})
