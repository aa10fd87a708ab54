"""What `apt-get --simulate full-upgrade` says in English → the packages that change, leave and stay behind. Pure."""

from __future__ import annotations

import re

from sparkfleet.forms import Described

INSTALLED = re.compile(r"Inst (?P<name>\S+)(?: \[(?P<old>[^\]]*)\])? \((?P<new>\S+)[^)]*\)")
REMOVED = re.compile(r"(?:Remv|Purg) (?P<name>\S+)(?: \[(?P<old>[^\]]*)\])?")
SUMMARY = re.compile(
    r"(\d+) upgraded, (\d+) newly installed, (?:\d+ reinstalled, )?(?:\d+ downgraded, )?(\d+) to remove"
)
KEPT = "The following packages have been kept back:"
SIZE = re.compile(r"(?:Need to get|After this operation,) (?:[0-9.,]+ ?[kMGT]?B/)?([0-9.,]+) ?([kMGT]?)B")
FREED = "disk space will be freed"
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}  # apt counts in thousands
KERNEL_PACKAGE = re.compile(r"linux-image-(?:unsigned-)?(?P<release>\d[A-Za-z0-9.+~-]*-nvidia(?:-64k)?)")
DRIVER_PACKAGE = re.compile(r"(nvidia-driver|libnvidia-compute|nvidia-utils)-\d+.*")
# A change of these takes effect with the next boot alone, whether or not their maintainers say so.
AT_BOOT = re.compile(
    r"(linux-(image|modules|firmware)|nvidia-(driver|kernel|firmware)|libc6|systemd|dbus|.*-firmware).*"
)


class Package(Described):
    """One package that changes; without `old` it is new, without `new` it is removed."""

    name: str
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        """As people compare them."""
        return f"{self.name} {self.old or '(new)'} → {self.new or 'removed'}"


class Updates(Described):
    """All that a full upgrade would do, and the bytes it fetches and adds (None: apt did not say)."""

    packages: tuple[Package, ...] = ()
    kept: tuple[str, ...] = ()
    fetch_bytes: int | None = None
    disk_bytes: int | None = None

    @property
    def removed(self) -> tuple[str, ...]:
        """The names of the packages that leave."""
        return tuple(package.name for package in self.packages if not package.new)

    @property
    def kernel(self) -> str:
        """The release of the newest kernel among the new packages; empty when there is none."""
        found = [m["release"] for p in self.packages if p.new and (m := KERNEL_PACKAGE.fullmatch(p.name))]
        return max(found, key=_natural, default="")

    @property
    def driver(self) -> str:
        """The version of the driver's user space among them; empty when it stays."""
        return next((upstream(p.new) for p in self.packages if p.new and DRIVER_PACKAGE.fullmatch(p.name)), "")

    @property
    def asks_for_boot(self) -> bool:
        """Whether something changes that only a boot brings to life."""
        return any(AT_BOOT.fullmatch(package.name) for package in self.packages)


def parse(text: str, sizes: str = "") -> Updates:
    """Raises ValueError when the text does not add up to apt's own summary: then it was not understood."""
    packages: list[Package] = []
    for line in text.splitlines():
        if found := INSTALLED.match(line):
            packages.append(Package(name=found["name"], old=found["old"] or "", new=found["new"]))
        elif found := REMOVED.match(line):
            packages.append(Package(name=found["name"], old=found["old"] or ""))
    counted = SUMMARY.search(text)
    if not counted:
        raise ValueError("apt gave no summary")
    *coming, leaving = (int(number or 0) for number in counted.groups())
    gone = sum(not package.new for package in packages)
    if (len(packages) - gone, gone) != (sum(coming), leaving):
        raise ValueError(f"apt counts {sum(coming)} packages that come and {leaving} that leave, its list has others")
    fetch, disk = (_bytes(sizes, word) for word in ("Need", "After"))
    return Updates(packages=tuple(packages), kept=tuple(_kept(text)), fetch_bytes=fetch, disk_bytes=disk)


def upstream(version: str) -> str:
    """580.159.03-0ubuntu0.24.04.1 → 580.159.03."""
    return version.rpartition(":")[2].partition("-")[0]


def _kept(text: str) -> list[str]:
    """The packages that a hold or a conflict keeps; they stand indented below their heading."""
    _, found, after = text.partition(KEPT + "\n")
    names: list[str] = []
    for line in after.splitlines() if found else ():
        if not line.startswith("  "):
            break
        names += line.split()
    return names


def _bytes(sizes: str, word: str) -> int | None:
    for line in sizes.splitlines():
        if line.startswith(word) and (found := SIZE.match(line)):
            return 0 if FREED in line else round(float(found[1].replace(",", "")) * UNITS[found[2]])
    return None


def _natural(release: str) -> list[tuple[int, str]]:
    """For comparing releases: numbers count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", release)]
