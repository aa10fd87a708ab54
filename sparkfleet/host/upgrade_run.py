"""A run of `upgrade` → carried out on the hosts, step by step, each one kept before the next: the acting edge.

Every host is ours alone while it is under way (`lock`); what happens stands in the audit log. Safe after a kill
anywhere: packages change in a unit of the host's own, and a reboot is recognised by its boot id.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from sparkfleet import audit
from sparkfleet.errors import LockedError, SparkfleetError, UnreachableError, UpgradeError
from sparkfleet.host import lock, upgrade_judge, upgrade_state
from sparkfleet.host.upgrade import Act, Host, Run, Step, done, failed, next_act
from sparkfleet.host.upgrade_host import Machine
from sparkfleet.host.verify import DEADLINE_S, verify_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparkfleet.host.lock import Held
    from sparkfleet.host.upgrade import Kind
    from sparkfleet.host.upgrade_judge import Fault
    from sparkfleet.model import Fleet

TRIES, BETWEEN_S = 3, 10.0  # of the pack after a boot: services are still coming up
TOLD = {
    Step.CHECK: "began", Step.DRAIN: "drained", Step.APPLY: "applied", Step.REBOOT: "rebooted",
    Step.VERIFY: "done", Step.SETTLE: "settled",
}  # fmt: skip
Learned = dict[str, Any]


def checked(fleet: Fleet, machine: Machine, kind: Kind, *, force: bool) -> tuple[Learned, list[Fault]]:
    """What is to be remembered of a host before anything is done to it, and what is in the way. Changes nothing.

    The package lists are read anew, and other package managers waited for.
    """
    rules = fleet.upgrade
    look = machine.look_when_idle() if kind == "upgrade" else machine.look()
    learned: Learned = {
        "boot_before": look.boot_id, "served": look.serving(rules.serving), "failed_units": tuple(look.failed),
    }  # fmt: skip
    faults = upgrade_judge.boot_now(look, allowed_units=rules.serving, force=force)
    if kind == "upgrade":
        updates = machine.updates(refresh=True)
        asks = updates.asks_for_boot or (rules.reboot == "always" and bool(updates.packages))
        learned |= {"packages": updates.packages, "kept": updates.kept, "reboot": look.reboot_required or asks}
        return learned, [*upgrade_judge.packages(look, updates, rules), *faults]
    kernel, more, notes = upgrade_judge.boot_target(look)
    return {**learned, "kernel": kernel, "notes": tuple(notes)}, [*faults, *more]


class Runner:
    """Carries a run out; `run` is always what stands in the file."""

    def __init__(self, fleet: Fleet, run: Run, say: Callable[[str], None]) -> None:
        """Nothing happens yet."""
        self.fleet, self.run, self.say = fleet, run, say
        self._held: Held | None = None
        self._steps: dict[Step, Callable[[Host, Machine], Learned]] = {
            Step.CHECK: self._check, Step.DRAIN: self._drain, Step.APPLY: self._apply, Step.TARGET: self._target,
            Step.REBOOT: self._reboot, Step.SERVE: self._serve, Step.VERIFY: self._verify, Step.SETTLE: self._settle,
        }  # fmt: skip

    def go(self) -> Run:
        """Until the run is finished, rests after its ring, or a host stops it; the run as it is then."""
        upgrade_state.write(self.fleet, self.run)
        while act := next_act(self.run):
            if act.step == Step.SETTLE:
                self._do(act)
                continue
            try:
                with self._alone_on(act) as self._held:
                    while (now := next_act(self.run)) and now.host == act.host and now.step != Step.SETTLE:
                        self._do(now)
                        if now.step == Step.REBOOT:
                            break  # the lock went with the boot: it is taken anew at the door
            except (LockedError, UnreachableError) as error:  # at its door; within a step they are told by it
                self._stop(act, error)
        return self.run

    def _do(self, act: Act) -> None:
        """One step, kept whichever way it goes."""
        host = self.run.host(act.host)
        self.say(f"{act.host}: {act.step} …")
        try:
            if self._held and act.step not in {Step.SETTLE, Step.REBOOT}:
                self._held.check()
            learned = self._steps[act.step](host, Machine(self.fleet, act.host))
        except SparkfleetError as error:
            self._stop(act, error)
            return
        self.run = done(self.run, act, **learned)
        host = self.run.host(act.host)
        idle = act.step == Step.CHECK and host.next == Step.DONE  # nothing is due, so nothing happened
        if act.step in TOLD and not idle:
            self._record(host, TOLD[act.step], self._detail(host, act.step))
        upgrade_state.write(self.fleet, self.run)

    def _stop(self, act: Act, error: SparkfleetError) -> None:
        self.run = failed(self.run, act, f"{act.step}: {error.what}", error.next_step)
        upgrade_state.write(self.fleet, self.run)
        self._record(self.run.host(act.host), "failed", f"{act.step}: {error.what}")

    def _record(self, host: Host, outcome: str, detail: str) -> None:
        old, new = (boot.replace("-", "") for boot in (host.boot_before, host.boot_after))
        audit.record(self.fleet, host.name, self.run.kind, outcome, old=old, new=new, detail=detail)

    def _detail(self, host: Host, step: Step) -> str:
        if step == Step.CHECK:
            names = ", ".join(map(str, host.packages[:5]))
            return f"{len(host.packages)} package(s): {names}" if host.packages else f"run {self.run.id}"
        return f"kernel {host.kernel}" if step == Step.REBOOT and host.kernel else f"run {self.run.id}"

    @contextlib.contextmanager
    def _alone_on(self, act: Act) -> Iterator[Held]:
        """The host's lock; one that is to come back from a reboot is waited for first."""
        machine = Machine(self.fleet, act.host)
        if act.step == Step.REBOOT:
            machine.wait()
        until = time.monotonic() + (2 * lock.BEAT_S if act.step == Step.SERVE else 0)
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    held = stack.enter_context(lock.held(machine.target, f"spark {self.run.kind}", say=self.say))
                    break
                except LockedError:  # our own last heartbeat from before the reboot may just be taking it, to let it go
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.5)
            yield held

    def _check(self, host: Host, machine: Machine) -> Learned:  # noqa: ARG002  (as its siblings)
        learned, faults = checked(self.fleet, machine, self.run.kind, force=self.run.force)
        for package in learned.get("packages", ()):
            self.say(f"{machine.name}:   {package}")
        self._refuse(machine.name, faults, "nothing was touched there")
        if self.run.kind == "reboot" or learned["reboot"] or learned["packages"]:
            learned["failing"] = self._failing(machine.name)
        return learned

    def _drain(self, host: Host, machine: Machine) -> Learned:
        states = machine.switch("stop", host.served)
        left = [unit for unit, state in states.items() if state in {"active", "deactivating", "activating"}]
        faults = [upgrade_judge.Fault(f"{unit} does not stop", "stop it there, then go on") for unit in left]
        look = machine.look()
        faults += upgrade_judge.boot_now(look, force=self.run.force)
        if faults:
            machine.switch("start", host.served[::-1])
        self._refuse(machine.name, faults, "what served serves again")
        return {}

    def _apply(self, host: Host, machine: Machine) -> Learned:
        # Once more, and by the same lists: a host that waited for days, or holds that somebody took away meanwhile.
        updates = machine.updates(refresh=False)
        self._refuse(machine.name, upgrade_judge.removals(updates, self.fleet.upgrade), "its packages are as before")
        if updates.packages:
            machine.apply(f"{self.run.id}-{host.attempt}")
        look = machine.look()
        if look.dpkg_audit:
            raise UpgradeError(
                f"{machine.name}: apt ended well, but dpkg is not sound: {look.dpkg_audit.splitlines()[0]}",
                next_step="run `dpkg --configure -a` there, then go on.",
            )
        kernel = upgrade_judge.boot_target(look)[0]
        other = bool(kernel) and not look.container and kernel != look.kernel
        asks = updates.asks_for_boot or look.reboot_required or other
        more = tuple(package for package in updates.packages if package not in host.packages)
        return {"reboot": host.reboot or asks, "packages": (*host.packages, *more), "kept": updates.kept}

    def _target(self, host: Host, machine: Machine) -> Learned:
        kernel, faults, notes = upgrade_judge.boot_target(machine.look())
        left = f" ({', '.join(host.served)} stopped)" if host.served else ""
        self._refuse(machine.name, faults, f"it was not rebooted and runs its old kernel{left}")
        return {"kernel": kernel, "notes": tuple(dict.fromkeys((*host.notes, *notes)))}

    def _reboot(self, host: Host, machine: Machine) -> Learned:
        with contextlib.suppress(UnreachableError):  # a killed run has asked it already, and it is on its way down
            if (look := machine.look()).boot_id == host.boot_before:
                faults = upgrade_judge.boot_now(look, force=self.run.force)
                self._refuse(machine.name, faults, "it was not rebooted")
        after = machine.reboot(host.boot_before)
        look = machine.look()
        if host.kernel and not look.container and look.kernel != host.kernel:
            raise UpgradeError(
                f"{machine.name} came back with the kernel {look.kernel}, not with {host.kernel}.",
                usually="GRUB fell back, or somebody chose another entry.",
                next_step="look at `grub-editenv list` and the journal of the boot in between (`journalctl -b -1`).",
            )
        self.say(f"{machine.name}: boot {host.boot_before[:8]} → {after[:8]}")
        return {"boot_after": after}

    def _serve(self, host: Host, machine: Machine) -> Learned:
        states = machine.switch("start", host.served[::-1])
        faults = [
            upgrade_judge.Fault(f"{unit} served before and is {state} now", f"`journalctl -u {unit}` there")
            for unit, state in states.items()
            if state != "active"
        ]
        self._refuse(machine.name, faults, "")
        return {}

    def _verify(self, host: Host, machine: Machine) -> Learned:
        units = upgrade_judge.new_failures(host.failed_units, machine.look().failed)
        faults = [upgrade_judge.Fault(f"the unit {unit} fails now", f"`journalctl -u {unit}` there") for unit in units]
        for attempt in range(TRIES):
            new = upgrade_judge.new_failures(host.failing, self._failing(machine.name))
            if not new or attempt == TRIES - 1:
                break
            time.sleep(BETWEEN_S)
        if new:
            what = f"{len(new)} check(s) fail now that did not before: {upgrade_judge.named(new)}"
            faults.append(upgrade_judge.Fault(what, f"`spark verify {machine.name}` shows the evidence"))
        self._refuse(machine.name, faults, "")
        return {"well_at": time.time()}

    def _settle(self, host: Host, machine: Machine) -> Learned:
        ring = next(ring for ring in self.run.rings if host.name in ring.hosts)
        until = max(self.run.host(name).well_at for name in ring.hosts) + self.fleet.upgrade.soak_minutes * 60
        if until > time.time():
            self.say(f"ring {ring.name}: left alone until {dt.datetime.fromtimestamp(until):%H:%M:%S}")  # noqa: DTZ006
            time.sleep(until - time.time())
        look = machine.look()
        faults = []
        if look.boot_id != (host.boot_after or host.boot_before):
            what = "rebooted by itself after it was done"
            faults.append(upgrade_judge.Fault(what, "`journalctl -b -1 -e` there shows its end"))
        units = [unit for unit in host.served if look.units.get(unit) != "active"]
        units += upgrade_judge.new_failures(host.failed_units, look.failed)
        faults += [upgrade_judge.Fault(f"{unit} did not stay up", f"`journalctl -u {unit}` there") for unit in units]
        self._refuse(machine.name, faults, "")
        return {}

    def _failing(self, name: str) -> tuple[str, ...]:
        today = dt.datetime.now(tz=dt.UTC).date()
        verdicts = verify_one(self.fleet, name, today, DEADLINE_S)
        return tuple(verdict.id for verdict in verdicts if verdict.outcome == "failed")

    def _refuse(self, name: str, faults: list[Fault], state: str) -> None:
        """Raise UpgradeError with every fault at once."""
        if faults:
            words = "; ".join(fault.what for fault in faults)
            raise UpgradeError(
                f"{name}: {words}{f'; {state}' if state else ''}.",
                next_step="; ".join(dict.fromkeys(fault.way_on for fault in faults)) + ".",
            )
