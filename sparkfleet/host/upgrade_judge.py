"""A look at a host → why it must not be upgraded, drained or booted now; nothing found is a yes. Pure, fail closed.

What `--force` overrides is said where it is asked: people's work on the machine, never the machine's own soundness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparkfleet.host import upgrade_boot
from sparkfleet.host.known_issues import Issue, combination, judge
from sparkfleet.host.upgrade_apt import upstream
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sparkfleet.fitness import Upgrade
    from sparkfleet.host.upgrade_apt import Updates
    from sparkfleet.host.upgrade_look import Look

BOOT_BYTES = 300 << 20  # a kernel and its initramfs, written beside the old ones
KHO_PACKAGE, KHO_WORD = "nvidia-spark-grub-kho", "kho=off"


class Fault(NamedTuple):
    """What is in the way, and what to do about it."""

    what: str
    way_on: str


def packages(look: Look, updates: Updates, rules: Upgrade) -> list[Fault]:
    """Why packages must not change on this host now."""
    return [*_package_manager(look), *_room(look, updates, rules), *removals(updates, rules), *_vendor(look, updates)]


def removals(updates: Updates, rules: Upgrade) -> list[Fault]:
    """The packages that would leave without having been allowed to."""
    leaving = [name for name in updates.removed if name not in rules.removals]
    way_on = "if they may go, name them in upgrade.removals; else hold what replaces them (`apt-mark hold`)"
    return [Fault(f"the upgrade would remove {named(leaving)}", way_on)] if leaving else []


def boot_now(look: Look, *, allowed_units: Collection[str] = (), force: bool = False) -> list[Fault]:
    """Why the host must not go down now; `force` overrides all of it."""
    if force:
        return []
    faults = [
        Fault(f"{one.who} blocks a reboot: {one.why or 'it gave no reason'}", "wait until it is done, or --force")
        for one in look.inhibitors
    ]
    if look.gpu_processes is None and look.driver_loaded:
        faults.append(Fault("nvidia-smi does not tell whether a job is on the GPU", "look at it there, then --force"))
    jobs = [job for job in look.gpu_processes or () if job.unit not in allowed_units]
    if jobs:
        names = named([f"{job.name} (process {job.pid})" for job in jobs])
        faults.append(
            Fault(f"a job is on the GPU: {names}", "wait, name its unit in upgrade.serving, or end it by --force")
        )
    return faults


def boot_target(look: Look) -> tuple[str, list[Fault], list[str]]:
    """The kernel that boots next, why it must not, and what is worth a look; for the state after packages changed."""
    if look.container and not look.boot.grub_cfg:
        return "", [], ["a container boots no kernel of its own: nothing to verify"]
    way_on = "mend it there (`update-grub`, `update-initramfs`, the kernel's packages); until then do not reboot it"
    try:
        target = upgrade_boot.target(look.boot.grub_cfg, look.boot.grubenv)
    except ValueError as error:
        return "", [Fault(f"what GRUB boots next is not clear: {error}", way_on)], []
    missing = []
    ready = look.boot.kernels.get(target.kernel)
    if not look.boot.images.get(target.image):
        missing.append(f"its image /boot/{target.image} is not there or empty")
    if not target.initrd:
        missing.append("its entry names no initramfs")
    elif not look.boot.images.get(target.initrd):
        missing.append(f"its initramfs /boot/{target.initrd} is not there or empty")
    if ready is None or not ready.modules:
        missing.append(f"/lib/modules/{target.kernel} has no modules")
    faults = [Fault(f"the kernel that boots next is {target.kernel}, and {what}", way_on) for what in missing]
    notes: list[str] = []
    if needs_driver(look):
        module = ready.nvidia if ready else None
        faults += _driver(look, target.kernel, module)
        if module:
            told = {"kernel": target.kernel, "cmdline": target.cmdline, "driver": module}
            bad, notes = _issues({**look.facts, **told}, now=look.facts)
            faults += bad
    return target.kernel, faults, notes


def needs_driver(look: Look) -> bool:
    """Whether a host without NVIDIA's module would be less than it was."""
    now = look.boot.kernels.get(look.kernel)
    return bool(look.driver_loaded or look.driver_packages or (now and now.nvidia is not None))


def new_failures(before: Collection[str], after: Sequence[str]) -> list[str]:
    """What fails now and did not before."""
    return [name for name in after if name not in before]


def _package_manager(look: Look) -> list[Fault]:
    faults = []
    if look.dpkg_audit:
        first = printable(look.dpkg_audit.splitlines()[0])
        faults.append(Fault(f"dpkg is not sound: {first}", "run `dpkg --configure -a` and `dpkg --audit` there"))
    if look.locks:
        who = named([f"{one.name or 'process'} (process {one.pid})" for one in look.locks])
        faults.append(Fault(f"another package manager is at work: {who}", "wait until it is done"))
    return faults


def _room(look: Look, updates: Updates, rules: Upgrade) -> list[Fault]:
    needed = rules.free_gib * 2**30 + (updates.fetch_bytes or 0) + (updates.disk_bytes or 0)
    faults: list[Fault] = []
    # Packages are kept below /var while they are unpacked.
    for place in ("/", "/var"):
        if look.free_bytes.get(place, 0) < needed and not faults:
            faults.append(_full(place, look.free_bytes.get(place, 0), needed))
    if updates.kernel and look.free_bytes.get("/boot", 0) < BOOT_BYTES:
        faults.append(_full("/boot", look.free_bytes.get("/boot", 0), BOOT_BYTES))
    return faults


def _full(place: str, free: int, needed: float) -> Fault:
    return Fault(
        f"{place} has {free / 2**30:.1f} GiB free, the upgrade needs {needed / 2**30:.1f} GiB",
        "make room (`apt-get clean`, old models, `journalctl --vacuum-size`), or lower upgrade.free_gib",
    )


def _vendor(look: Look, updates: Updates) -> list[Fault]:
    """What NVIDIA's own check and the matrix of known issues say of where the packages lead."""
    faults = []
    if look.ota and look.ota.answer and look.ota.answer.get("ok") is False:
        errors = printable(str(look.ota.answer.get("errors") or "it gives no reason"))
        faults.append(Fault(f"nvidia-spark-ota-check refuses: {errors}", "do what it says, then try again"))
    if updates.kernel or updates.driver:
        try:
            now = upgrade_boot.target(look.boot.grub_cfg, look.boot.grubenv)
            kernel, words = now.kernel, now.cmdline
        except ValueError:  # told once the packages are there: boot_target refuses then
            kernel, words = look.kernel, look.cmdline
        if any(package.name == KHO_PACKAGE and package.new for package in updates.packages):
            words = f"{words} {KHO_WORD}"
        told = {"kernel": updates.kernel or kernel, "driver": updates.driver or look.driver_loaded, "cmdline": words}
        faults += _issues({**look.facts, **told}, now=look.facts)[0]
    return faults


def _driver(look: Look, kernel: str, module: str | None) -> list[Fault]:
    """The module nvidia for the next kernel is there, and of the version of the installed user space."""
    installed = sorted({upstream(version) for version in look.driver_packages})
    held = [name for name in look.holds if "nvidia" in name or name.startswith("linux-")]
    way_on = "install linux-modules-nvidia-… (or let DKMS build it) for that kernel, in the version of the driver"
    way_on += f"; held there: {named(held)} (`apt-mark unhold` lets the upgrade take them)" if held else ""
    if module is None:
        return [Fault(f"the kernel that boots next is {kernel}, and it has no module nvidia: no GPU after it", way_on)]
    if not module:
        return [Fault(f"the module nvidia of the kernel {kernel} does not tell its version", way_on)]
    if installed != [module]:
        other = " and ".join(installed) or "of unknown version"
        return [
            Fault(f"the module nvidia of the kernel {kernel} is {module}, the driver's packages are {other}", way_on)
        ]
    return []


def _issues(told: Mapping[str, str], *, now: Mapping[str, str]) -> tuple[list[Fault], list[str]]:
    """Known issues of a combination, as faults and as notes; what holds for the running one is only noted."""
    same = all(told.get(name) == now.get(name) for name in ("kernel", "driver"))
    has = {issue.id for issue in judge(now)} if same else set()
    issues = judge({name: value for name, value in told.items() if value})
    bad = [issue for issue in issues if issue.refuses and issue.id not in has]
    words = combination(told)
    return [_fault(issue, words) for issue in bad], [f"{i.id}: {i.what}" for i in issues if i not in bad]


def _fault(issue: Issue, words: str) -> Fault:
    source = f" ({issue.source}, {issue.date})" if issue.date else ""
    return Fault(f"{words}: {issue.id}: {issue.what}{source}", issue.next_step)


def named(names: Sequence[str], most: int = 5) -> str:
    """The first of them, and how many more."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
