"""One host and its description → observe, plan, apply, observe again, verify: the heart, in order, and alone on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.errors import ApplyError, SparkfleetError, VerifyError
from sparkfleet.host import driver, lock, sources
from sparkfleet.host.apply import Work, apply
from sparkfleet.host.connection import Target
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.lockdown import Steps, change
from sparkfleet.host.merged import broken
from sparkfleet.host.observe import Observed, observe
from sparkfleet.host.plan import Change, plan
from sparkfleet.host.way_in import check_break_glass, is_converged, stages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sparkfleet.model import Fleet

MOST_NAMED = 10


def converge(
    fleet: Fleet,
    name: str,
    recorded: Mapping[str, str],
    *,
    known: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Observed:
    """Bring one host to its description and prove it; safe to repeat, also after a kill anywhere.

    `recorded` are the settings that the caller planned with: files edited since then stop the run before the host is
    touched. `known` is the machine id that the caller expects. What changes how a host is entered is undone by the host
    unless it is proven (`lockdown.change`). Raises LockedError, UnreachableError, ApplyError, LockdownError or
    VerifyError.
    """
    wanted = desired(fleet, name, sources.read(fleet))
    if wanted.settings != dict(recorded):
        edited = sorted(k for k in {*wanted.settings, *recorded} if wanted.settings.get(k) != recorded.get(k))
        raise SparkfleetError(
            f"{name}: the project's files changed while the run was under way ({_named(edited)}); nothing was touched.",
            next_step="run `pulumi up` again.",
        )
    target, sysfs = Target.of(fleet, name), str(fleet.hosts[name].sysfs)
    with lock.held(target, "pulumi up", say=say) as held:
        before = observe(target, wanted.settings, sysfs=sysfs)
        same_machine(name, known, before.facts)
        driver.check(fleet, wanted, before.facts)
        changes = plan(before.settings, wanted)
        refuse_broken(name, changes)
        if is_converged(before.settings):
            check_break_glass(fleet, name, changes)
        held.check()
        after = _apply(fleet, wanted, changes, before, say) if changes else before
        _verify(fleet, name)
    return after


def same_machine(name: str, known: str | None, facts: Mapping[str, str]) -> None:
    """Raise when the machine that answered is not the one that the stack knows (None: it knows none yet)."""
    found = facts.get("machine_id")
    if found is None:
        raise SparkfleetError(
            f"{name} does not say which machine it is; nothing was touched.",
            usually="/etc/machine-id is empty, as in an image that never booted.",
            next_step="run `systemd-machine-id-setup` on it, then the same command again.",
        )
    if known and found != known:
        raise SparkfleetError(
            f"{name} is another machine than the one this stack knows (machine id {found[:8]}…); nothing was touched.",
            usually="the box was replaced or reinstalled.",
            next_step=f"if that is right: `pulumi state delete` the SparkHost of {name}, then `pulumi up`.",
        )


def refuse_broken(name: str, changes: Sequence[Change]) -> None:
    """Raise ApplyError when values belong into a file that the host cannot read: it is never overwritten."""
    if faults := broken(changes):
        where = "; ".join(f"{path}: {what}" for path, what in faults.items())
        raise ApplyError(
            f"{name}: nothing was touched, {where}.",
            usually="the file was edited by hand, and its program would not read it either.",
            next_step="mend it on the host; then run the same command again.",
        )


def _apply(
    fleet: Fleet, wanted: Desired, changes: list[Change], before: Observed, say: Callable[[str], None]
) -> Observed:
    name, address = wanted.host, before.address
    for stage in stages(changes, converged=is_converged(before.settings), tailnet_only=fleet.access.tailnet_only):
        work = Work(wanted, stage.changes, address)
        if stage.guarded:
            address = change(fleet, work, by="pulumi up", steps=Steps(name, say)).address
            continue
        outcome = apply(fleet, {name: work}, say=say)[name]
        if outcome.failure:
            raise ApplyError(
                f"{name} could not be brought to its description: {outcome.failure}",
                usually="a package source is not reachable, or the host differs from what the role expects.",
                next_step=f"`spark plan {name}` shows what is left; mend it and run `pulumi up` again.",
            )
    after = observe(Target.of(fleet, name), wanted.settings, sysfs=str(fleet.hosts[name].sysfs))
    left = plan(after.settings, wanted)
    if left:
        raise ApplyError(
            f"{name}: after the apply {len(left)} setting(s) still differ: {_named([c.key for c in left])}.",
            usually="something else on the host sets them too, or a unit does not stay up.",
            next_step=f"`spark plan {name}` shows them with both values.",
        )
    return after


def _verify(fleet: Fleet, name: str) -> None:
    from sparkfleet.host.verify import verify

    failed = [v for v in verify(fleet, [name]) if v.outcome == "failed"]
    if failed:
        titles = _named([f"{v.id} {v.title}" for v in failed])
        raise VerifyError(
            f"{name} is as described, but {len(failed)} check(s) fail: {titles}.",
            usually="something beside the described files is wrong on the host.",
            next_step=f"`spark verify {name}` shows the evidence.",
        )


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(keys[:MOST_NAMED]) + more
