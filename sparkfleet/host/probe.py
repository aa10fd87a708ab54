"""Wanted settings → the same keys with what the host has, as JSON on stdout. Runs ON the host; changes nothing.

Self-contained (standard library, Python 3.10 or newer); `observe` replaces the first line of data and sends it over
SSH on stdin. Beside the wanted keys it reports what sparkfleet once shipped (from its marker) and a few facts.
"""

import glob
import grp
import hashlib
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from typing import Any

REQUEST: dict[str, Any] = {}  # replaced: {"settings": {key: wanted}, "sysfs": "/sys", "procfs": "/proc"}
SYSCTL_FILE = "/etc/sysctl.d/60-sparkfleet.conf"
MARKER = "/var/lib/sparkfleet/marker.json"
IDENTITY = "/usr/local/lib/sparkfleet/identity.py"
MISSING: Any = object()


def read(path: str) -> str | None:
    """A small file's text, stripped; None when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return None


def pairs(text: str | None, separator: str) -> dict[str, str]:
    """The lines `name<separator>value` of a file."""
    rows = (line.partition(separator) for line in (text or "").splitlines())
    return {name.strip(): value.strip().strip('"') for name, found, value in rows if found}


def run(*command: str) -> str:
    """What a command prints; nothing when there is no such command. One that hangs is an error, not an answer."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.decode(errors="replace")


def file_state(path: str, *, whole: bool = False) -> str | None:
    """`<digest> <mode> <owner>:<group>`, None when there is no such file, or what stands in its place."""
    try:
        at = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(at.st_mode):
        return "not a plain file"
    with open(path, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    try:
        owner = pwd.getpwuid(at.st_uid).pw_name
    except KeyError:
        owner = str(at.st_uid)
    try:
        group = grp.getgrgid(at.st_gid).gr_name
    except KeyError:
        group = str(at.st_gid)
    return f"{digest if whole else digest[:16]} {stat.S_IMODE(at.st_mode):04o} {owner}:{group}"


def link_state(path: str) -> str | None:
    """Where a link leads, as an absolute path."""
    try:
        return os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
    except OSError:
        return None


def listing_state(folder: str) -> str | None:
    """The names in a folder, sorted."""
    try:
        return " ".join(sorted(os.listdir(folder)))
    except OSError:
        return None


def environment_state(name: str) -> str | None:
    """Which lock a Python environment was made from; another text when it was made for another Python."""
    made_from, _, version = (read(f"/opt/sparkfleet/{name}/made-from") or "").partition(" ")
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return (made_from or None) if version in {here, ""} else f"{made_from} for Python {version}"


def user_state(name: str) -> str | None:
    """Whether a person may use sudo; None when there is no such user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return None
    try:
        return "sudo" if name in grp.getgrnam("sudo").gr_mem else "no sudo"
    except KeyError:
        return "no sudo"


def sysctl_state(key: str) -> str | None:
    """A kernel setting as it is now, whatever the files say; of a container, which has only the network's, our file."""
    if os.path.exists("/run/systemd/container") and not key.startswith("net."):
        return pairs(read(SYSCTL_FILE), "=").get(key)
    value = read("/proc/sys/" + key.replace(".", "/"))
    return None if value is None else " ".join(value.split())


def package_states(names: list[str]) -> dict[str, str]:
    """Which of the packages are installed."""
    rows = run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names).splitlines()
    return {row.split()[0]: "installed" for row in rows if row.endswith(" installed")}


def unit_states(wanted: dict[str, str]) -> dict[str, str]:
    """A unit is reported in as many words as are wanted of it: "enabled" or "enabled,active"."""
    found = {}
    shown = run("systemctl", "show", "-p", "Id,UnitFileState,ActiveState,NeedDaemonReload", *wanted)
    for block in shown.split("\n\n"):
        row = pairs(block, "=")
        name, state = row.get("Id", ""), row.get("UnitFileState")
        if state and name in wanted:
            if "," in wanted[name]:
                state += "," + row["ActiveState"]
            if row.get("NeedDaemonReload") == "yes":
                state += ",stale"
            found[name] = state
    return found


def json_states(names: list[str]) -> dict[str, str]:
    """The values in JSON files that are not ours, `path#/pointer` → JSON text; of a broken file where it is broken."""
    found: dict[str, str] = {}
    documents: dict[str, Any] = {}
    for name in names:
        path, _, pointer = name.partition("#")
        if path not in documents:
            documents[path] = json_document(path)
        value = documents[path]
        if isinstance(value, str):
            found[name] = value
            continue
        for token in pointer[1:].split("/"):
            token = token.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901  (as RFC 6901 has it)
            value = value.get(token, MISSING) if isinstance(value, dict) else MISSING
        if value is not MISSING:  # in the form of `merged.canonical`
            found[name] = re.sub(r"\{(?=[{%#])", r"\\u007b", json.dumps(value, sort_keys=True))
    return found


def json_document(path: str) -> Any:
    """A JSON file's object, {} when there is none or nothing in it; words when it is something else."""
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        document = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        return f"broken: line {error.lineno} column {error.colno}: {error.msg}"
    except (OSError, ValueError, RecursionError) as error:
        return f"broken: {getattr(error, 'strerror', None) or type(error).__name__}"
    return document if isinstance(document, dict) else "broken: line 1 column 1: expected an object"


def secret_state(path: str, marker: dict[str, Any]) -> str | None:
    """The recorded reference while the file is the one that was shipped; its digest never leaves the host."""
    record = marker.get("secrets", {}).get(path)
    state = file_state(path, whole=True)
    if state is None:
        return None
    if record is None:
        return "unknown"
    return str(record["setting"]) if record["state"] == state else "touched"


def said_by_tailscale(*words: str) -> dict[str, Any]:
    """What `tailscale` answers as JSON; nothing when it, or its daemon, is not there."""
    try:
        answer = json.loads(run("tailscale", *words) or "{}")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def tailnet_states(status: dict[str, Any]) -> dict[str, str]:
    """How the host stands in its tailnet, under the names of the settings."""
    prefs = said_by_tailscale("debug", "prefs")
    if not prefs:
        return {}
    return {
        "accept_dns": "yes" if prefs.get("CorpDNS") else "no",
        "hostname": str(prefs.get("Hostname", "")),
        "login_server": str(prefs.get("ControlURL", "")),
        "ssh": "yes" if prefs.get("RunSSH") else "no",
        "state": str(status.get("BackendState", "")),
        # As the control server gave them: what the node asks for is another list.
        "tags": " ".join(sorted((status.get("Self") or {}).get("Tags") or [])),
    }


def gpu(sysfs: str) -> str:
    """Vendor and device of NVIDIA's display controllers on the PCI bus, each once: 10de:2e12 is a GB10."""
    found = set()
    for place in glob.glob(f"{sysfs}/bus/pci/devices/*"):
        if read(f"{place}/vendor") == "0x10de" and (read(f"{place}/class") or "").startswith("0x03"):
            found.add("10de:" + (read(f"{place}/device") or "").removeprefix("0x"))
    return " ".join(sorted(found))


def driver_flavour(procfs: str) -> str:
    """Whether the loaded kernel modules are the open ones; empty when none are, or they do not say."""
    said = read(f"{procfs}/driver/nvidia/version") or ""
    return "" if "Kernel Module" not in said else "open" if "Open Kernel Module" in said else "proprietary"


def facts(sysfs: str, procfs: str, tailnet: dict[str, Any]) -> dict[str, str]:
    """What identifies the machine; what it does not say is left out."""
    dgx = pairs(read("/etc/dgx-release"), "=")
    board = [read(f"{sysfs}/class/dmi/id/{name}") for name in ("board_vendor", "product_name")]
    found = {
        "machine_id": read("/etc/machine-id"),
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
        "hostname": os.uname().nodename,
        "kernel": read(f"{procfs}/sys/kernel/osrelease") or os.uname().release,
        "cmdline": read(f"{procfs}/cmdline"),
        "machine": os.uname().machine,
        "os": pairs(read("/etc/os-release"), "=").get("PRETTY_NAME"),
        "dgx_os": dgx.get("DGX_OTA_VERSION", dgx.get("DGX_SWBUILD_VERSION")),
        "board": " ".join(filter(None, board)),
        "driver": read(f"{sysfs}/module/nvidia/version"),
        "driver_flavour": driver_flavour(procfs),
        "gpu": gpu(sysfs),
        "watchdog": read(f"{sysfs}/class/watchdog/watchdog0/identity"),
        "memory_total_kib": pairs(read("/proc/meminfo"), ":").get("MemTotal", "").replace(" kB", ""),
        "tailnet_addresses": ",".join(tailnet.get("TailscaleIPs") or []),
        "tailnet_state": tailnet.get("BackendState"),
    }
    return {key: value for key, value in found.items() if value}


def main() -> None:
    """Print the answer."""
    marker = json.loads(read(MARKER) or "{}")
    wanted = dict(REQUEST["settings"])
    for key, value in marker.get("managed", {}).items():  # shipped once, perhaps no longer described
        wanted.setdefault(key, value)
    by_kind: dict[str, dict[str, str]] = {}
    for key, value in wanted.items():
        kind, _, name = key.partition(":")
        by_kind.setdefault(kind, {})[name] = value
    found: dict[str, str | None] = {}
    states: list[tuple[str, Any]] = [
        ("file", file_state),
        ("link", link_state),
        ("listing", listing_state),
        ("user", user_state),
        ("environment", environment_state),
        ("sysctl", sysctl_state),
        ("secret", lambda path: secret_state(path, marker)),
        ("role", marker.get("roles", {}).get),
    ]
    for kind, state in states:
        found.update({f"{kind}:{name}": state(name) for name in by_kind.get(kind, {})})
    if "package" in by_kind:
        found.update({f"package:{n}": s for n, s in package_states(sorted(by_kind["package"])).items()})
    if "unit" in by_kind:
        found.update({f"unit:{n}": s for n, s in unit_states(by_kind["unit"]).items()})
    found.update({f"json:{name}": value for name, value in json_states(list(by_kind.get("json", {}))).items()})
    tailnet = said_by_tailscale("status", "--json", "--peers=false")
    if "tailnet" in by_kind:
        found.update({f"tailnet:{n}": s for n, s in tailnet_states(tailnet).items() if n in by_kind["tailnet"]})
    if "identity" in by_kind:
        found["identity:certificate"] = run("/usr/bin/python3", "-IS", IDENTITY, "state").strip() or None
    settings = {key: value for key, value in found.items() if value is not None}
    told = facts(REQUEST["sysfs"], REQUEST["procfs"], tailnet)
    print(json.dumps({"settings": settings, "facts": told}, sort_keys=True))


main()
