#!/usr/bin/env python3
"""The scenario's tools/ files → what `nvme`, `fwupdmgr`, `modinfo` and `nvidia-ctk` print. Simulated.

    nvme smart-log -o json /dev/nvme0       FOLDER/tools/nvme/smart-log.nvme0, or smart-log for any device
    fwupdmgr get-devices --json             FOLDER/tools/fwupdmgr/get-devices
    modinfo -F version nvidia               FOLDER/tools/modinfo/version.nvidia
    nvidia-ctk cdi generate --format=json   FOLDER/tools/nvidia-ctk/cdi.generate

Installed in a stand-in under these names: one file, standard library only. FOLDER is $GB10_FOLDER or /var/lib/gb10. A
question that the scenario has no answer to ends with 1. Who looks is told on standard error that it is simulated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TAKES_A_VALUE = ("-o", "--output-format", "-n", "--namespace-id")


def words(arguments: list[str]) -> list[str]:
    """The arguments that are neither an option nor the value of one."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return [word for before, word in pairs if not word.startswith("-") and before not in TAKES_A_VALUE]


def main(program: str, arguments: list[str]) -> int:
    """Print the answer."""
    sys.stderr.write(f"{program}: simulated by the sparkfleet lab\n")
    if arguments in (["--version"], ["version"]):
        print(f"{program} simulated")
        return 0
    folder = Path(os.environ.get("GB10_FOLDER", "/var/lib/gb10")) / "tools" / program
    verb, *devices = words(arguments) or ["none"]
    for name in (*(f"{verb}.{Path(device).name}" for device in devices), verb):
        if (folder / name).is_file():
            sys.stdout.write((folder / name).read_text())
            return 0
    sys.stderr.write(f"{program}: the scenario has no answer to: {' '.join(arguments)}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[0]).name, sys.argv[1:]))
