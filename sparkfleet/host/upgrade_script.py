"""Sent over SSH and run as root: what an upgrade or a reboot has to know of a host, and what it does to it.

Standard library only, Python 3.10 or newer. It judges nothing: that is the controller's (upgrade_judge). Packages
change in a unit of the host's own, which goes on when the connection, the controller or tailscaled does not.
"""

import contextlib
import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/var/lib/sparkfleet/upgrade")
UNIT = "sparkfleet-upgrade.service"
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")
PLACES = ("/", "/boot", "/var")
# apt and dpkg are read and so must speak English: German locales have broken NVIDIA's own tool.
QUIET = {"LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
KEEP = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
MOST_WORDS = 60000  # characters of a simulation or a log: 500 packages
FLOCK = "hhqqi"  # struct flock of <fcntl.h>: type, whence, start, length, pid
OTA = "/usr/bin/nvidia-spark-ota-check"
DRIVER_PACKAGES = ("libnvidia-compute-*", "nvidia-utils-*")


def run(*command: str, timeout_s: float = 60.0) -> tuple[int, str]:
    """Exit code and all that it said, in English; 127 when there is no such program, 124 when it hangs."""
    try:
        done = subprocess.run(
            command, env={**os.environ, **QUIET}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=timeout_s, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return 127, ""
    except subprocess.TimeoutExpired:
        return 124, ""
    return done.returncode, done.stdout.decode(errors="replace")


def read(path: str | Path) -> str:
    """A file's text, stripped; nothing when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Everything that decides whether the host may be touched and booted; changes nothing."""
    sysfs, procfs = request.get("sysfs", "/sys"), request.get("procfs", "/proc")
    dgx = dict(line.split("=", 1) for line in read("/etc/dgx-release").splitlines() if "=" in line)
    _, audit = run("dpkg", "--audit")
    _, holds = run("apt-mark", "showhold")
    _, failed = run("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    return {
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
        "kernel": os.uname().release,
        "container": Path("/run/systemd/container").exists(),
        "free_bytes": {place: free(place) for place in PLACES},
        "dpkg_audit": audit.strip()[:2000],
        "locks": [held for held in map(holder, LOCKS) if held],
        "inhibitors": inhibitors(),
        "reboot_required": Path("/run/reboot-required").exists(),
        "holds": holds.split(),
        "failed": sorted(line.split()[0] for line in failed.splitlines() if line.strip()),
        "units": units(request.get("units", [])),
        "gpu_processes": gpu_processes(),
        "gpu": gpu(sysfs),
        "cmdline": read(f"{procfs}/cmdline"),
        "driver_loaded": read(f"{sysfs}/module/nvidia/version"),
        "driver_flavour": flavour(procfs),
        "driver_packages": driver_packages(),
        "dgx_os": dgx.get("DGX_OTA_VERSION", dgx.get("DGX_SWBUILD_VERSION", "")).strip('"'),
        "watchdog": Path("/dev/watchdog").exists(),
        "ota": ota(),
        "boot": boot("/"),
    }


def free(place: str) -> int:
    """Bytes that root may still write there; through the nearest folder that exists."""
    at = os.statvfs(place if Path(place).exists() else "/")
    return at.f_bavail * at.f_frsize


def holder(path: str) -> dict[str, Any] | None:
    """Who has a package manager's lock; asked without taking it."""
    try:
        with Path(path).open("rb+") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return None
    return None if kind == fcntl.F_UNLCK else {"path": path, "pid": pid, "name": read(f"/proc/{pid}/comm")}


def inhibitors() -> list[dict[str, str]]:
    """Who asked logind to block a reboot; delays are not told, systemd waits them out."""
    manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    code, said = run("busctl", "--json=short", "call", *manager, "ListInhibitors")
    try:
        rows = json.loads(said)["data"][0] if code == 0 else []
    except (ValueError, KeyError, IndexError):
        rows = []
    return [{"who": row[1], "why": row[2]} for row in rows if "shutdown" in row[0].split(":") and row[3] == "block"]


def units(names: list[str]) -> dict[str, str]:
    """How each unit stands: active, inactive, failed; one that the host does not have is left out."""
    found = {}
    for name in names:
        _, said = run("systemctl", "show", "-p", "LoadState,ActiveState", name)
        row = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        if row.get("LoadState") == "loaded":
            found[name] = row.get("ActiveState", "")
    return found


def gpu_processes() -> list[dict[str, Any]] | None:
    """Who computes on the GPU, each with the unit it belongs to; None when nobody can tell."""
    code, said = run("nvidia-smi", "--query-compute-apps=pid,process_name", "--format=csv,noheader", timeout_s=30)
    if code:
        return None
    rows = [line.partition(",") for line in said.splitlines() if line.partition(",")[0].strip().isdigit()]
    return [{"pid": int(pid), "name": name.strip(), "unit": unit_of(int(pid))} for pid, _, name in rows]


def unit_of(pid: int) -> str:
    """The innermost service of a process."""
    names = [part for line in read(f"/proc/{pid}/cgroup").splitlines() for part in line.split("/")]
    return next((name for name in reversed(names) if name.endswith(".service")), "")


def gpu(sysfs: str) -> str:
    """Vendor and device of NVIDIA's display controllers on the PCI bus, each once; as the probe has it."""
    found = set()
    for place in Path(f"{sysfs}/bus/pci/devices").glob("*"):
        if read(place / "vendor") == "0x10de" and read(place / "class").startswith("0x03"):
            found.add("10de:" + read(place / "device").removeprefix("0x"))
    return " ".join(sorted(found))


def flavour(procfs: str) -> str:
    """Whether the loaded kernel modules are the open ones; empty when none are."""
    said = read(f"{procfs}/driver/nvidia/version")
    return "" if "Kernel Module" not in said else "open" if "Open Kernel Module" in said else "proprietary"


def driver_packages() -> list[str]:
    """The versions of NVIDIA's installed user-space packages, as dpkg has them."""
    _, said = run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\\n", *DRIVER_PACKAGES)
    return sorted({line.split()[1] for line in said.splitlines() if line.startswith("installed ")})


def ota() -> dict[str, Any] | None:
    """What NVIDIA's own check says of the host, where there is one; `summary` alone: the other verbs may change it."""
    if not Path(OTA).exists():
        return None
    code, said = run(OTA, "summary", timeout_s=120)
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    return {"code": code, "answer": answer if isinstance(answer, dict) else None, "said": said.strip()[:2000]}


def boot(root: str) -> dict[str, Any]:
    """What GRUB will read, and what stands ready for each kernel; `root` is another tree in tests."""
    top = Path(root)
    found = sorted(path for path in (top / "lib/modules").glob("*") if path.is_dir())
    return {
        "grub_cfg": read(top / "boot/grub/grub.cfg").expandtabs(1)[: 1 << 20],
        "grubenv": read(top / "boot/grub/grubenv")[:4096],
        "images": {path.name: path.stat().st_size for path in sorted((top / "boot").glob("*")) if path.is_file()},
        "kernels": {
            path.name: {"modules": (path / "modules.dep").exists(), "nvidia": module_version(path)} for path in found
        },
    }


def module_version(modules: Path) -> str | None:
    """The version of the module nvidia that belongs to one kernel; None without such a module, "" when it is mute."""
    for folder, _, names in os.walk(modules):
        for name in names:
            if re.fullmatch(r"nvidia\.ko(\.(zst|xz|gz))?", name):
                # By its path: a program of that name earlier on PATH may know another driver.
                code, said = run("/usr/sbin/modinfo", "-F", "version", str(Path(folder) / name))
                return said.strip() if code == 0 else ""
    return None


def updates(request: dict[str, Any]) -> dict[str, Any]:
    """What a full upgrade would do, in apt's own words; with `refresh` after reading the package lists anew."""
    wait = f"DPkg::Lock::Timeout={request['lock_timeout_s']}"
    if request.get("refresh"):
        code, said = run("apt-get", "-q", "-o", wait, "update", timeout_s=request["within_s"])
        if code:
            return {"code": code, "text": said[-MOST_WORDS:], "sizes": ""}
    code, text = run("apt-get", "--simulate", "-q", *KEEP, "full-upgrade", timeout_s=request["within_s"])
    # Answered with no: this form alone tells how much will be fetched and used.
    _, sizes = run("apt-get", "--assume-no", "-q", "-o", wait, *KEEP, "full-upgrade", timeout_s=request["within_s"])
    told = re.findall(r"^(?:Need|After).*", sizes, re.MULTILINE)
    return {"code": code, "text": text[:MOST_WORDS], "sizes": "\n".join(told)}


def stop(request: dict[str, Any]) -> dict[str, Any]:
    """Stop units, one after the other; those that the host does not have are no failure."""
    there = [name for name in request["units"] if units([name])]
    said = [run("systemctl", "stop", name, timeout_s=request["within_s"]) for name in there]
    return {"units": units(request["units"]), "said": [text.strip() for code, text in said if code]}


def start(request: dict[str, Any]) -> dict[str, Any]:
    """Start units, one after the other, and give each its time to be active."""
    said = [run("systemctl", "start", name, timeout_s=request["within_s"]) for name in request["units"]]
    until = time.monotonic() + request["within_s"]
    while any(state == "activating" for state in units(request["units"]).values()) and time.monotonic() < until:
        time.sleep(0.5)
    return {"units": units(request["units"]), "said": [text.strip() for code, text in said if code]}


def apply(request: dict[str, Any]) -> dict[str, Any]:
    """Begin to install, in a unit of its own; nothing happens when this very attempt was begun before."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    code, log = FOLDER / f"{request['attempt']}.code", FOLDER / f"{request['attempt']}.log"
    if code.exists() or running():
        return applied(request)
    wait = f"DPkg::Lock::Timeout={request['lock_timeout_s']}"
    upgrade = ["apt-get", "-y", "-q", "-o", wait, "-o", "APT::Get::AutomaticRemove=false", *KEEP, "full-upgrade"]
    # $0 is the file with the result, written last. What an earlier attempt left half configured comes first.
    steps = 'dpkg --configure -a --force-confold; "$@"; echo $? > "$0.new"; mv "$0.new" "$0"'
    properties = [f"--property=Standard{way}=append:{log}" for way in ("Output", "Error")]
    environment = [f"--setenv={name}={value}" for name, value in QUIET.items()]
    said = run(
        "systemd-run", f"--unit={UNIT}", "--collect", "--no-block", *properties, *environment,
        "/bin/sh", "-c", steps, str(code), *upgrade,
    )  # fmt: skip
    return {"state": "running"} if said[0] == 0 else {"error": f"systemd-run: {said[1].strip()}"}


def running() -> bool:
    """Whether packages are being changed now."""
    return run("systemctl", "is-active", UNIT)[1].strip() in {"active", "activating", "deactivating"}


def applied(request: dict[str, Any]) -> dict[str, Any]:
    """How an attempt stands: running, done with a code, or none (never begun, or cut off by a power failure)."""
    log = read(FOLDER / f"{request['attempt']}.log")[-4000:]
    still = running()  # before the file: the unit writes it and then ends
    code = read(FOLDER / f"{request['attempt']}.code")
    if code.isdigit():
        return {"state": "done", "code": int(code), "log": log}
    return {"state": "running" if still else "none", "log": log}


def reboot(request: dict[str, Any]) -> dict[str, Any]:
    """Reboot, unless the host has done so already; the proof is its next boot id."""
    if read("/proc/sys/kernel/random/boot_id") == request["boot_id"]:
        with contextlib.suppress(FileNotFoundError):
            Path("/run/reboot-required").unlink()  # a new /run comes with the boot; this is for who asks meanwhile
        code, said = run("systemctl", "--no-block", "reboot")
        return {"asked": True} if code == 0 else {"error": f"systemctl reboot: {said.strip()}"}
    return {"asked": False}


STEPS = {
    "look": look, "updates": updates, "stop": stop, "start": start,
    "apply": apply, "applied": applied, "reboot": reboot,
}  # fmt: skip


def main(request: dict[str, Any]) -> None:
    """Carry out one step and print its answer."""
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    json.dump(STEPS[request["do"]](request), sys.stdout)
