"""What only root may read → one JSON file for the exporter: kernel log, NVMe health, firmware, driver, earlier boots.

    python3 -I -S gb10-privileged.py --state=FOLDER --out=FILE [--kmsg=/dev/kmsg] [--procfs=/proc] [--sysfs=/sys]
    python3 -I -S gb10-privileged.py --state=FOLDER --boot=begin|end   note that a boot began, or ends in order

Runs alone, every 30 s, with little of the standard library. Counts are kept in FOLDER, on disk before they are told.
What fails is missing and named in "errors". Sources: the kernel's ABI/testing/dev-kmsg; NVIDIA's "XID Errors".
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import sys
import time

TYPE_CHECKING = False  # to import typing would double the run
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from typing import Any

RECORD_MAX = 8192  # the kernel's own limit for one record
RECORDS_MAX = 1_000_000  # of one run, should they come faster than they are read
CHUNK = 65536
FILE_MAX = 4 << 20  # of a plain file, the last bytes: the size of a large kernel ring; what is before is lost as there
TAIL = 64
KERN_DEBUG = 7  # beyond it a program wrote the record, not the kernel
XID = re.compile(rb"NVRM: Xid \((?:PCI:)?[0-9a-fA-F:.]+\): (\d{1,3})\b")
NUMBERS = re.compile(rb"^\d+,(\d{1,19}),", flags=re.MULTILINE)
TOOL_S, RETRY_S = 10.0, 600.0
OUTPUT_MAX = 1 << 20
EVERY_S = {"nvme": 600.0, "driver": 600.0, "firmware": 6 * 3600.0}  # firmware: fwupd's daemon is woken for it
TORN = "in no known form: started afresh"


class FailedError(Exception):
    """A tool gave no answer; the text says why."""


def read_kernel_log(path: str, log: dict[str, Any], boot_id: str, started_at: float) -> None:
    """Count in `log` what has come since it was counted last; `started_at`: of the boot, in seconds since 1970."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        if log.get("boot_id") != boot_id and not is_file:
            # A ring that no longer begins at 0 has lost records; on the very first run nobody was reading.
            log["next"] = 0 if log.get("boot_id") else None
        count(file_records(file.fileno(), log) if is_file else device_records(file.fileno()), log, started_at)
    log["boot_id"] = boot_id


def device_records(handle: int) -> Iterator[bytes]:
    """/dev/kmsg: one read, one record, from the oldest that the ring still has."""
    for _ in range(RECORDS_MAX):
        try:
            record = os.read(handle, RECORD_MAX)
        except BrokenPipeError:  # overwritten while we read: the next read goes on behind the gap
            continue
        except BlockingIOError:
            return
        if not record:
            return
        yield record


def file_records(handle: int, log: dict[str, Any]) -> Iterator[bytes]:
    """A plain file in the same format (the lab replays one): what was appended since the bytes that were read last.

    Where those are not, it was written anew: all of it is read, and is another log if its numbers end before ours.
    """
    size, place, tail = os.fstat(handle).st_size, log.get("place", 0), bytes.fromhex(log.get("tail", ""))
    if place > size or os.pread(handle, len(tail), place - len(tail)) != tail:
        place, numbers = 0, NUMBERS.findall(os.pread(handle, CHUNK, max(0, size - CHUNK)))
        if not numbers or int(numbers[-1]) < (log.get("next") or 0):
            log["next"] = None
    spans = [(place, size)]
    if size - place > FILE_MAX:  # the first records tell where the gap begins
        spans = [(place, place + CHUNK), (size - FILE_MAX, size)]
    for begin, end in spans:
        place, rest = begin, b""
        while place < end and (chunk := os.pread(handle, min(CHUNK, end - place), place)):
            place += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > RECORD_MAX:
                rest = b""
    place -= len(rest)
    length = min(TAIL, place)
    log["place"], log["tail"] = place, os.pread(handle, length, place - length).hex()


def count(records: Iterable[bytes], log: dict[str, Any], started_at: float) -> None:
    """Records → counts and last times in `log`; by their sequence numbers none counts twice, and gaps are lost ones."""
    now = time.time()
    for record in records:
        head, _, message = record.partition(b";")
        try:
            priority, sequence, microseconds = map(int, head.split(b",", 3)[:3])
        except ValueError:
            continue  # a continuation (" SUBSYSTEM=…"), or no record
        expected = sequence if log["next"] is None else log["next"]
        if sequence < expected:
            continue  # counted before
        log["lost_records"] += sequence - expected
        log["next"] = sequence + 1
        if priority > KERN_DEBUG or not message.startswith(b"NVRM: "):
            continue
        entry: dict[str, Any] = {"count": 0}
        if found := XID.match(message):
            entry = log["xid"].setdefault(found[1].decode(), entry)
        elif b"NV_ERR_NO_MEMORY" in message:
            entry = log["out_of_memory"]
        entry["count"] += 1
        entry["last"] = round(min(now, started_at + microseconds / 1e6), 3)


def run_tool(*command: str, accepted: Container[int] = (0,)) -> bytes:
    """What the tool prints. FailedError when it is missing, fails, takes too long or prints without end.

    A tool that cannot even be killed (blocked in a drive's driver) is left to systemd and not waited for.
    """
    import select
    import subprocess

    try:
        tool = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise FailedError(f"{command[0]}: {error.strerror}") from None
    end, output, chunk = time.monotonic() + TOOL_S, b"", b"-"
    try:
        while chunk and tool.stdout:
            if not select.select([tool.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise FailedError(f"{command[0]}: no answer within {TOOL_S:g} s")
            chunk = os.read(tool.stdout.fileno(), CHUNK)
            output += chunk
            if len(output) > OUTPUT_MAX:
                raise FailedError(f"{command[0]}: prints without end")
        code = tool.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired:  # it has closed its output, and goes on
        raise FailedError(f"{command[0]}: does not end") from None
    finally:
        if tool.returncode is None:
            os.killpg(tool.pid, 9)
    if code not in accepted:
        raise FailedError(f"{command[0]}: exit code {code}")
    return output


def tool_json(*command: str, accepted: Container[int] = (0,)) -> dict[str, Any]:
    """What the tool prints, as an object; {} when it prints nothing."""
    try:
        found = json.loads(run_tool(*command, accepted=accepted) or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FailedError(f"{command[0]}: prints no JSON object")
    return found


def nvme(sysfs: str) -> dict[str, Any]:
    """Controller → its SMART log, as nvme-cli gives it."""
    folder = f"{sysfs}/class/nvme"
    names = sorted(os.listdir(folder))[:16] if os.path.isdir(folder) else []
    return {name: tool_json("nvme", "smart-log", f"/dev/{name}", "-o", "json") for name in names}


def firmware(_sysfs: str) -> dict[str, Any]:
    """Fwupd's devices, and those with an update. It asks no server: fwupd's own timer does."""
    waiting = tool_json("fwupdmgr", "get-updates", "--json", accepted=(0, 2)).get("Devices", [])  # 2: there are none
    devices = tool_json("fwupdmgr", "get-devices", "--json").get("Devices", [])
    told = [{key: each.get(key) for key in ("Name", "Version", "Flags", "DeviceId")} for each in devices]
    return {"devices": told, "updates": [each.get("DeviceId") for each in waiting]}


def driver(_sysfs: str) -> dict[str, Any]:
    """The driver that the next start would load; {} without one."""
    version = run_tool("modinfo", "-F", "version", "nvidia", accepted=(0, 1)).decode(errors="replace").strip()
    return {"installed": version[:64]} if version else {}


def ask_tools(tools: dict[str, Any], sysfs: str, boot_id: str) -> bool:
    """Ask those whose answer is old, of an earlier boot, or failed a while ago. Whether any was asked."""
    now, asked = time.clock_gettime(time.CLOCK_BOOTTIME), False
    for name, ask in (("nvme", nvme), ("driver", driver), ("firmware", firmware)):
        last = tools.get(name, {})
        wait = RETRY_S if "error" in last else EVERY_S[name]
        if last.get("boot_id") == boot_id and 0 <= now - last["asked"] < wait:
            continue
        asked, tools[name] = True, {"boot_id": boot_id, "asked": now}
        try:
            tools[name]["part"] = ask(sysfs)
        except FailedError as error:
            tools[name]["error"] = str(error)
        except Exception as error:  # noqa: BLE001  an answer in another form
            tools[name]["error"] = f"{name}: {error!r}"[:200]
    return asked


def load(path: str) -> tuple[dict[str, Any], str | None]:
    """A JSON file → its object, and why there is none ({}), if not for being new: torn by a power cut, for instance."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(4 * OUTPUT_MAX))
        return (found, None) if isinstance(found, dict) else ({}, TORN)
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, RecursionError):
        return {}, TORN


def save(path: str, data: dict[str, Any], mode: int) -> None:
    """Write whole: a reader, a kill or a power cut at any moment meets the old file or the new one."""
    handle = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with open(handle, "wb") as file:
        file.write(json.dumps(data).encode())
        file.flush()
        os.fchmod(handle, mode)
        os.fsync(handle)
    os.replace(f"{path}.new", path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fsync(folder)
    os.close(folder)


def mark_boot(path: str, boot_id: str, started_at: float, *, begins: bool) -> dict[str, Any]:
    """Note in `path` that this boot began, or that it ends in order; a boot without an orderly end was unclean."""
    marker, torn = load(path)
    if torn:
        print(f"{path}: {torn}", file=sys.stderr)
    if marker.get("boot_id") != boot_id:
        clean, unclean = marker.get("clean"), marker.get("unclean")  # None: the first boot that is marked
        unclean = (unclean if isinstance(unclean, int) else 0) + (clean is False)
        last = started_at if clean is False else marker.get("last_unclean")
        marker = {"boot_id": boot_id, "previous_clean": clean, "unclean": unclean, "last_unclean": last}
    marker["clean"] = not begins
    save(path, marker, 0o600)
    return marker


def boot_of(procfs: str) -> tuple[str, float]:
    """This boot's id and its start in seconds since 1970."""
    with open(f"{procfs}/sys/kernel/random/boot_id") as file, open(f"{procfs}/stat") as counters:
        started = re.search(r"^btime (\d{1,12})$", counters.read(OUTPUT_MAX), flags=re.MULTILINE)
        return file.read(64).strip(), float(started[1]) if started else 0.0


def collect(flags: dict[str, str], state: dict[str, Any], errors: dict[str, str]) -> None:
    """Bring `state` up to date and hand it over: the kernel log at once, then the tools that take their time."""
    boot_id, started_at = boot_of(flags["procfs"])
    tools = state.setdefault("tools", {})
    log = state.setdefault("kernel_log", {"xid": {}, "out_of_memory": {"count": 0}, "lost_records": 0, "next": None})
    parts = {}
    try:
        read_kernel_log(flags["kmsg"], log, boot_id, started_at)
        parts["kernel_log"] = {name: log[name] for name in ("xid", "out_of_memory", "lost_records")}
    except OSError as error:
        errors["kernel_log"] = f"{flags['kmsg']}: {error.strerror}"
    marker, torn = load(f"{flags['state']}/boot.json")
    if torn:
        errors["boot"] = f"boot.json: {torn}"
    elif marker:  # without one nothing marks boots here
        if marker.get("boot_id") != boot_id:
            marker = mark_boot(f"{flags['state']}/boot.json", boot_id, started_at, begins=True)
        parts["boot"] = {name: marker.get(name) for name in ("previous_clean", "unclean", "last_unclean")}
    hand_over(flags, state, parts, errors)
    if ask_tools(tools, flags["sysfs"], boot_id):
        hand_over(flags, state, parts, errors)


def hand_over(flags: dict[str, str], state: dict[str, Any], parts: dict[str, Any], errors: dict[str, str]) -> None:
    """Save the counts, then tell them: what was told once is never counted again after a power cut."""
    save(f"{flags['state']}/state.json", state, 0o600)
    told = {name: answer["part"] for name, answer in state["tools"].items() if "part" in answer}
    failed = {name: answer["error"] for name, answer in state["tools"].items() if "error" in answer}
    now = {"written_at": time.time(), "written_boottime": time.clock_gettime(time.CLOCK_BOOTTIME)}
    save(flags["out"], {**now, **parts, **told, "errors": {**failed, **errors}}, 0o644)


def main(arguments: list[str]) -> None:
    """Do what the flags say; parts that fail are no failure of the run."""
    flags = {"kmsg": "/dev/kmsg", "procfs": "/proc", "sysfs": "/sys"}
    flags |= dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
    if "boot" in flags:
        mark_boot(f"{flags['state']}/boot.json", *boot_of(flags["procfs"]), begins=flags["boot"] == "begin")
        return
    with open(f"{flags['state']}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one run by hand beside the timer's waits for it
        state, torn = load(f"{flags['state']}/state.json")
        try:
            collect(flags, state, {"state": f"state.json: {torn}"} if torn else {})
        except (KeyError, TypeError, ValueError, AttributeError):
            collect(flags, {}, {"state": f"state.json: {TORN}"})


if __name__ == "__main__":
    main(sys.argv[1:])
