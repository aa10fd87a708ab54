"""Flags → one file with what this machine says, masked; or the kit itself as one file.

    python3 -m exporters.gb10.capture [--out FILE] [--state "what the machine is doing"]
    python3 capture.py …                     the same, packed: made with --pack capture.py
    sudo python3 capture.py                  says more: kernel log, NVMe health, serial numbers (only to mask them)

It reads; it changes nothing, asks no network, and writes one new file. Look through that file before you send it.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import threading
import time
import zipapp
from pathlib import Path

from exporters.gb10.capture import kept, nvml
from exporters.gb10.capture.machine import TOOLS, Machine, kernel_records, tool_answer
from exporters.gb10.capture.masking import LeakError, Masker

NVML_S = 60.0  # a driver in trouble blocks for minutes: then the capture tells that
BLOCKED = ["[every gpu]", "nvmlInit = 0 wait 600", "* = wait 600"]
PARTS = ("__init__.py", "__main__.py", "kept.py", "machine.py", "masking.py", "nvml.py")


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser(
        prog="capture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--out", type=Path, help="the file to write; one that is there is not overwritten")
    flags.add_argument("--state", default="not said", help="what the machine is doing, for instance: idle")
    flags.add_argument("--pack", type=Path, metavar="FILE", help="write this kit as one file instead")
    flags.add_argument("--path.procfs", dest="proc", type=Path, default=Path("/proc"), metavar="PATH")
    flags.add_argument("--path.sysfs", dest="sys", type=Path, default=Path("/sys"), metavar="PATH")
    flags.add_argument("--path.rootfs", dest="root", type=Path, default=Path("/"), metavar="PATH")
    flags.add_argument("--kmsg", type=Path, default=Path("/dev/kmsg"), metavar="PATH")
    return flags


def main(arguments: list[str] | None = None) -> int:
    """Capture, or pack."""
    flags = parser().parse_args(arguments)
    if flags.pack:
        return pack(flags.pack)
    out = flags.out or Path(f"gb10-{time.strftime('%Y%m%d-%H%M%S')}.capture")
    if out.exists():
        return failed(f"{out} is there already; nothing was read or written")
    machine = Machine({"proc": flags.proc, "sys": flags.sys, "root": flags.root})
    text = scenario(machine, flags.kmsg, flags.state)
    masker = Masker(machine.secrets())
    masker.learn(text)
    try:
        masked = masker.masked(text)
    except LeakError as error:
        return failed(f"nothing was written: {error}")
    try:
        with out.open("x") as file:
            file.write(masked)
    except OSError as error:
        return failed(f"{out}: {error.strerror}")
    tell(masker, text, out)
    sys.stdout.flush()
    os._exit(0)  # a thread that hangs in the driver would keep Python from ending


def scenario(machine: Machine, kmsg: Path, state: str) -> str:
    """Everything that can be read, as the text of a scenario, not yet masked."""
    calls, pids = nvml_lines()
    files = dict(machine.files(pids))
    is_simulated = files.get("sys/class/dmi/id/chassis_asset_tag", "").strip() == "simulated"
    facts = {
        "label": "simulated" if is_simulated else "measured",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "state": state,
        "machine": f"{platform.system().lower()}-{platform.machine()}, kernel {platform.release()}",
        "kit": f"1, Python {platform.python_version()}, {'root' if os.geteuid() == 0 else 'without privileges'}",
    }
    answers = {name: tool_answer(command) for name, command in (TOOLS | machine.drives()).items()}
    parts = [
        kept.head(facts),
        *calls,
        "[every gpu]",
        *(kept.file_lines(path, text) for path, text in files.items()),
        *(kept.file_lines(f"tools/{name}", text) for name, text in answers.items() if text),
        kept.record_lines(kernel_records(kmsg)),
    ]
    return "\n".join(part for part in parts if part) + "\n"


def nvml_lines() -> tuple[list[str], set[int]]:
    """What NVML says, and the processes on the GPUs; a driver that blocks is told as one that blocks."""
    driver = nvml.loaded()
    if driver is None:
        return [f"nvmlInit = error {nvml.DRIVER_NOT_LOADED}"], set()
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(driver.lines()), daemon=True)
    thread.start()
    thread.join(NVML_S)
    return ([*found, *BLOCKED] if thread.is_alive() else found), set(driver.pids)


def tell(masker: Masker, text: str, out: Path) -> None:
    """On the terminal: what was masked (the beginning of each value only), and what to do now."""
    print(f"{'masked':<8} {'value':<14} becomes")
    for value, kind in sorted(masker.values.items(), key=lambda item: (item[1], item[0])):
        print(f"{kind:<8} {value[:4]}{'…':<10} {masker.mask_of(value)}")
    print(f"{out}: {len(text.splitlines())} lines. Look through it, then send it in; nothing else was written.")


def failed(reason: str) -> int:
    """Say why, and the exit code."""
    sys.stderr.write(f"capture: {reason}\n")
    return 1


def pack(target: Path) -> int:
    """Write the kit as one file that Python runs; its parts can be read with `unzip -p`."""
    package = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "exporters/gb10/capture"
        inside.mkdir(parents=True)
        for name in PARTS:
            (inside / name).write_text((package / name).read_text())
        for above in (inside.parent, inside.parent.parent):
            (above / "__init__.py").write_text("")
        zipapp.create_archive(folder, target, "/usr/bin/env python3", "exporters.gb10.capture.__main__:program")
    print(f"{target}: run it with `python3 {target.name}`")
    return 0


def program() -> None:
    """What the packed kit calls: its exit code counts."""
    sys.exit(main())


if __name__ == "__main__":
    program()
