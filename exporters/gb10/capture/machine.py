"""The machine's files, kernel log and tools → texts, and the values that must not leave it. Reads only.

Which files: those that the exporter reads (exporters/gb10/sources) and their neighbours, so that a later exporter can
be tried on an old capture. What cannot be read is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_BYTES = 1 << 20  # of one file or one tool
TOOL_S = 30.0

PROC = (
    "meminfo", "vmstat", "buddyinfo", "pressure/*", "stat", "mounts", "sys/kernel/random/boot_id",
    "sys/kernel/osrelease", "driver/nvidia/version",
)  # fmt: skip
SYS = (
    "class/thermal/thermal_zone*/{type,temp,trip_point_*_temp,trip_point_*_type,device/path}",
    "class/dmi/id/{sys_vendor,product_name,product_version,board_vendor,board_name,bios_vendor,bios_version,bios_date}",
    "class/dmi/id/chassis_asset_tag",
    "class/hwmon/hwmon*/{name,*_label,*_input,power*_cap,power*_cap_max}",
    "bus/platform/devices/NVDA8800:00/{prochot,pl_level,tj_max_c}",
    "bus/pci/devices/000f:01:00.0/{vendor,device,class}",
    "module/nvidia/version",
    "class/net/*/device/{vendor,device,uevent,aer_dev_correctable,aer_dev_nonfatal,aer_dev_fatal}",
    "class/infiniband/*/ports/*/{state,phys_state,rate}",
    "class/nvme/nvme*/{model,firmware_rev,state}",
)
PORT = "class/net/*/{operstate,carrier,speed,mtu}"  # of those that are devices: containers' ends are no hardware
ROOT = ("etc/os-release", "etc/dgx-release", "etc/fastos-release", "run/systemd/timesync/synchronized")
STAT = re.compile(r"^(?:cpu |btime |processes |procs_)")
KERNEL = re.compile(r"NVRM|nvidia|mlx5|nvme|thermal|AER:|Out of memory|oom-kill", re.IGNORECASE)
COMMAND_LINE = re.compile(r"^(?:Kernel command line|Command line): ")  # the owner's own business; may hold secrets
MOST_RECORDS = 500

# Where a machine says who it is. Read to be masked wherever else it stands, never written as such.
SECRETS = {
    "serial": (
        "sys/class/dmi/id/product_serial", "sys/class/dmi/id/board_serial", "sys/class/dmi/id/chassis_serial",
        "sys/class/nvme/nvme*/serial", "sys/class/dmi/id/chassis_asset_tag",
    ),
    "uuid": ("sys/class/dmi/id/product_uuid", "root/etc/machine-id", "proc/sys/kernel/random/boot_id"),
    "mac": ("sys/class/net/*/address", "sys/class/infiniband/*/node_guid", "sys/class/infiniband/*/sys_image_guid"),
    "id": ("sys/class/nvme/nvme*/nvme*/wwid", "sys/class/nvme/nvme*/subsysnqn"),
    "host": ("root/etc/hostname", "proc/sys/kernel/hostname", "proc/sys/kernel/domainname"),
}  # fmt: skip
# Tool and verb, as the simulator's stand-ins are asked (lab/gb10/tools.py) → the command.
TOOLS = {
    "fwupdmgr/get-devices": ("fwupdmgr", "get-devices", "--json"),
    "fwupdmgr/get-updates": ("fwupdmgr", "get-updates", "--json"),
    "modinfo/version.nvidia": ("modinfo", "-F", "version", "nvidia"),
    "nvidia-smi/query": ("nvidia-smi", "-q"),
}


class Machine:
    """The roots of a machine's trees: `proc`, `sys` and `root`."""

    def __init__(self, trees: dict[str, Path]) -> None:
        self.trees = trees

    def files(self, pids: Iterable[int] = ()) -> Iterator[tuple[str, str]]:
        """Every file that can be read: its path with the tree's name in front, its text."""
        wanted = {"proc": [*PROC, *(f"{pid}/{{comm,cgroup}}" for pid in sorted(pids))], "sys": SYS, "root": ROOT}
        for tree, patterns in wanted.items():
            yield from self.matching(tree, patterns)
        ports = dict(self.matching("sys", [PORT]))
        devices = {path.name for path in (self.trees["sys"] / "class/net").glob("*") if (path / "device").exists()}
        yield from ((path, text) for path, text in ports.items() if path.split("/")[3] in devices)

    def matching(self, tree: str, patterns: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The files of a tree by patterns, sorted."""
        root = self.trees[tree]
        for pattern in patterns:
            for alternative in alternatives(pattern):
                for path in sorted(root.glob(alternative)):
                    text = readable(path)
                    if text is not None:
                        yield f"{tree}/{path.relative_to(root)}", trimmed(str(path.relative_to(root)), text)

    def secrets(self) -> Iterator[tuple[str, str]]:
        """The values that tell this machine from another, by kind."""
        names = socket.gethostname(), socket.getfqdn()
        yield from (("host", name) for name in (*names, *(name.partition(".")[2] for name in names)))
        for kind, patterns in SECRETS.items():
            for pattern in patterns:
                tree, _, below = pattern.partition("/")
                for path in self.trees[tree].glob(below):
                    yield from ((kind, word) for word in (readable(path) or "").split() if word)

    def drives(self) -> dict[str, tuple[str, ...]]:
        """The health of each NVMe drive as a tool's answer; needs root."""
        names = sorted(path.name for path in (self.trees["sys"] / "class/nvme").glob("nvme*"))
        return {f"nvme/smart-log.{name}": ("nvme", "smart-log", f"/dev/{name}", "-o", "json") for name in names}


def alternatives(pattern: str) -> list[str]:
    """A pattern with one {a,b} → patterns without."""
    match = re.search(r"\{([^}]*)\}", pattern)
    return [pattern.replace(match[0], word) for word in match[1].split(",")] if match else [pattern]


def readable(path: Path) -> str | None:
    """A file's text; None when it cannot be read or is none."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
    except OSError:
        return None
    return None if b"\0" in data else data.decode(errors="replace")


def trimmed(path: str, text: str) -> str:
    """Without the lines that tell nothing to the exporter: a CPU's own, mounts that are no block device's."""
    lines = text.splitlines()
    if path == "stat":
        lines = [line for line in lines if STAT.match(line)]
    elif path == "mounts":
        lines = [line for line in lines if line.startswith("/dev/")]
    else:
        return text
    return "\n".join(lines)


def kernel_records(path: Path) -> list[tuple[int, str]]:
    """The last records of the kernel log about this hardware: level and text. Mostly for root only: else nothing."""
    found = []
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        while chunk := os.read(handle, 1 << 16):  # the device gives one record at a time, a plain file many
            for line in chunk.decode(errors="replace").splitlines():
                begin, _, text = line.partition(";")
                if text and wanted(text) and begin.split(",")[0].isdecimal():
                    found.append((int(begin.split(",")[0]) & 7, text))
    except OSError:  # nothing more to read, or the reader was overtaken
        pass
    finally:
        os.close(handle)
    return found[-MOST_RECORDS:]


def wanted(record: str) -> bool:
    """Whether a kernel record is about this hardware, and nobody's own business."""
    return bool(KERNEL.search(record)) and not COMMAND_LINE.match(record)


def tool_answer(command: tuple[str, ...]) -> str | None:
    """What a tool prints; None when it is not there, fails or does not end."""
    if not shutil.which(command[0]):
        return None
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TOOL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode or not done.stdout.strip() else done.stdout[:MOST_BYTES].decode(errors="replace")
